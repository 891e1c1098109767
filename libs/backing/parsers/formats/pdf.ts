import { getDocumentProxy } from 'unpdf';
import { CharacterMaps } from './character-maps';
import { ParseFault } from './parse-fault';
import type { PageSpan, ParseRequest, ParsedText } from './parsed-text';
import { MOST_CHARACTERS } from './parsed-text';
import { linesOf, spacingOf, textOf } from './pdf-lines';
import type { PdfLine, PositionedItem } from './pdf-lines';

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>;

const MOST_PAGES = 10_000;
/** A file that was cut off lacks its end mark; some programs write a little after it. */
const TAIL = 4_096;
const ERRORS_ONLY = 0;
/** What programs write where nobody gave a title. */
const UNNAMED = /^(?:untitled|unnamed|document\d*|\(anonymous\))$/iu;

/** Reads a PDF page by page in the order of its content; lines end where they end on the page. */
export async function parse({ bytes }: ParseRequest): Promise<ParsedText> {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(-TAIL).includes('%%EOF')) {
    throw new ParseFault('unprocessable', 'The PDF is truncated: its end is missing.');
  }
  const maps = new CharacterMaps();
  const pdf = await opened(bytes, maps);
  try {
    if (pdf.numPages > MOST_PAGES) throw new ParseFault('too_large', `The PDF has more than ${MOST_PAGES} pages.`);
    const title = await titleOf(pdf);
    return { ...joined(await pagesOf(pdf), maps), title, markdown: false, columns: null };
  } finally {
    await pdf.loadingTask.destroy();
  }
}

async function opened(bytes: Uint8Array, maps: CharacterMaps): Promise<Pdf> {
  // The one thing that pdf.js is given from outside; everything else that it may ask for is for drawing.
  class Files {
    async fetch({ kind, filename }: { kind: string; filename: string }): Promise<Uint8Array> {
      if (kind !== 'cMapUrl') throw new Error(`${filename} is not here.`);
      return maps.get(filename);
    }
  }
  try {
    return await getDocumentProxy(bytes, {
      verbosity: ERRORS_ONLY,
      useSystemFonts: false,
      disableFontFace: true,
      useWorkerFetch: false,
      cMapPacked: false,
      BinaryDataFactory: Files,
    });
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException') {
      throw new ParseFault('unprocessable', 'The PDF is encrypted: it opens with a password only.');
    }
    throw new ParseFault('unprocessable', 'The PDF is damaged: its structure cannot be read.');
  }
}

async function titleOf(pdf: Pdf): Promise<string | null> {
  const { info } = (await pdf.getMetadata().catch(() => ({ info: {} }))) as { info: { Title?: unknown } };
  const title = typeof info.Title === 'string' ? info.Title.replace(/[\0\s]+/gu, ' ').trim() : '';
  return title === '' || UNNAMED.test(title) ? null : title;
}

async function pagesOf(pdf: Pdf): Promise<PdfLine[][]> {
  const pages: PdfLine[][] = [];
  for (let number = 1; number <= pdf.numPages; number += 1) {
    try {
      const page = await pdf.getPage(number);
      const { items } = await page.getTextContent();
      pages.push(linesOf(items.filter((item): item is PositionedItem & (typeof items)[number] => 'str' in item)));
      page.cleanup();
    } catch (error) {
      throw new ParseFault('unprocessable', `The PDF is damaged: page ${number} cannot be read (${reason(error)}).`);
    }
  }
  return pages;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.name : 'no reason given';
}

function joined(pages: PdfLine[][], { missing }: CharacterMaps): { text: string; pages: PageSpan[] } {
  const spacing = spacingOf(pages);
  const spans: PageSpan[] = [];
  let text = '';
  for (const [index, lines] of pages.entries()) {
    const content = textOf(lines, spacing);
    if (text !== '' && content !== '') text += endsSentence(text) || !/^\p{Ll}/u.test(content) ? '\n\n' : '\n';
    spans.push({ number: index + 1, start: text.length, end: text.length + content.length });
    text += content;
    if (text.length > MOST_CHARACTERS) throw new ParseFault('too_large', `The PDF has more than ${MOST_CHARACTERS} characters of text.`);
  }
  if (text === '' && missing.size > 0) {
    throw new ParseFault(
      'unprocessable',
      `The text of the PDF cannot be read: its fonts need the character map ${[...missing].join(', ')}.`,
    );
  }
  if (text === '')
    throw new ParseFault('unprocessable', 'The PDF has no text layer: its pages hold pictures only, and pictures are not read.');
  return { text, pages: spans };
}

function endsSentence(text: string): boolean {
  return /[.!?:;。！？]["'”’)\]]*$/u.test(text.slice(-8));
}
