import { deflateSync } from 'node:zlib';

const LINES = 44;

/** A PDF with these pages of text, set in lines under a title, with packed contents as real programs write them. */
export function writePdf(pages) {
  const objects = ['<</Type/Catalog/Pages 2 0 R>>', undefined, font('Helvetica'), font('Helvetica-Bold')];
  const kids = [];
  for (const { title, text } of pages) {
    const content = deflateSync(Buffer.from(page(title, wrapped(text)), 'latin1'));
    objects.push(
      Buffer.concat([Buffer.from(`<</Filter/FlateDecode/Length ${content.length}>>stream\n`), content, Buffer.from('\nendstream')]),
    );
    kids.push(`${objects.length + 1} 0 R`);
    objects.push(
      `<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R/F2 4 0 R>>>>/Contents ${objects.length} 0 R>>`,
    );
  }
  objects[1] = `<</Type/Pages/Count ${kids.length}/Kids[${kids.join(' ')}]>>`;
  return assembled(objects);
}

function font(name) {
  return `<</Type/Font/Subtype/Type1/BaseFont/${name}/Encoding/WinAnsiEncoding>>`;
}

function wrapped(text) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line.length + word.length > 92) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.slice(0, LINES);
}

function page(title, lines) {
  const escaped = (text) => text.replace(/[\\()]/g, '\\$&');
  const body = lines.map((line) => `(${escaped(line)}) Tj T*`).join('\n');
  return `BT /F2 16 Tf 56 780 Td (${escaped(title)}) Tj ET\nBT /F1 10.5 Tf 14 TL 56 745 Td\n${body}\nET`;
}

function assembled(objects) {
  const parts = [Buffer.from('%PDF-1.5\n%\xe2\xe3\xcf\xd3\n', 'latin1')];
  const offsets = [];
  let length = parts[0].length;
  for (const [index, object] of objects.entries()) {
    const bytes = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(object, 'latin1'), Buffer.from('\nendobj\n')]);
    offsets.push(length);
    length += bytes.length;
    parts.push(bytes);
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  parts.push(
    Buffer.from(`xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer<</Size ${size}/Root 1 0 R>>\nstartxref\n${length}\n%%EOF\n`),
  );
  return Buffer.concat(parts);
}
