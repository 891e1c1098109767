/** What the first bytes of a file say it is. */
export type Beginning = { kind: 'pdf' | 'zip' | 'ole' | 'text' } | { kind: 'other'; what: string };

/** Beginnings by which other kinds of files are told, and what to call them. */
const SIGNATURES: [number[], string][] = [
  [[0x7b, 0x5c, 0x72, 0x74, 0x66], 'an RTF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
  [[0x47, 0x49, 0x46, 0x38], 'a GIF image'],
  [[0x49, 0x49, 0x2a, 0x00], 'a TIFF image'],
  [[0x4d, 0x4d, 0x00, 0x2a], 'a TIFF image'],
  [[0x00, 0x00, 0x01, 0x00], 'an icon'],
  [[0x52, 0x49, 0x46, 0x46], 'a RIFF media file'],
  [[0x4f, 0x67, 0x67, 0x53], 'an Ogg recording'],
  [[0x49, 0x44, 0x33], 'an MP3 recording'],
  [[0x1f, 0x8b], 'a gzip archive'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz archive'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd archive'],
  [[0x52, 0x61, 0x72, 0x21], 'a RAR archive'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
  [[0xcf, 0xfa, 0xed, 0xfe], 'a program'],
  [[0xce, 0xfa, 0xed, 0xfe], 'a program'],
  [[0xca, 0xfe, 0xba, 0xbe], 'a program'],
  [[0x00, 0x61, 0x73, 0x6d], 'a WebAssembly program'],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66], 'an SQLite database'],
  [[0x25, 0x21, 0x50, 0x53], 'a PostScript document'],
];
/** Programs for Windows begin with letters; the address of their second header follows at 0x3c. */
const WINDOWS_PROGRAM = [0x4d, 0x5a];
const SECOND_HEADER = 0x3c;

/** Bytes that are enough for `beginningOf`. */
export const FIRST_BYTES = 1_024;

export function beginningOf(first: Buffer): Beginning {
  if (/^(?:\xef\xbb\xbf)?\s{0,512}%PDF-/u.test(first.toString('latin1'))) return { kind: 'pdf' };
  if (begins(first, [0x50, 0x4b, 0x03, 0x04])) return { kind: 'zip' };
  if (begins(first, [0x50, 0x4b, 0x05, 0x06])) return { kind: 'other', what: 'an empty ZIP archive' };
  if (begins(first, [0xd0, 0xcf, 0x11, 0xe0])) return { kind: 'ole' };
  if (begins(first, WINDOWS_PROGRAM) && first.subarray(2, SECOND_HEADER + 4).includes(0)) return { kind: 'other', what: 'a program' };
  const signature = SIGNATURES.find(([bytes]) => begins(first, bytes));
  return signature === undefined ? { kind: 'text' } : { kind: 'other', what: signature[1] };
}

function begins(first: Buffer, bytes: number[]): boolean {
  return bytes.every((byte, index) => first[index] === byte);
}
