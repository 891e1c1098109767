import { TextDecoder } from 'node:util';
import chardet from 'chardet';
import { ParseFault } from './parse-fault';

/** Bytes by which the encoding is guessed; characters of a page in which its own word is looked for. */
const SAMPLE = 65_536;
const DECLARED = 2_048;
const FEWEST_WIDE = 32;
/** A page in one of these says so by bytes that mean something else in it: what is written of them is not believed. */
const WIDE = /^utf-?(?:16|32)/iu;

/** The text of a file: by its byte order mark, else as it is declared, else as UTF-8, else by the looks of its bytes. */
export function decode(bytes: Uint8Array, declared?: string): string {
  const marked = markOf(bytes);
  if (marked !== undefined) return decodedAs(marked, bytes);
  const named = declared === undefined || WIDE.test(declared) ? undefined : decoderOf(declared);
  if (named !== undefined && named.encoding !== 'utf-8') return named.decode(bytes);
  const wide = plainWide(bytes);
  if (wide !== undefined) return decodedAs(wide, bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return decodedAs(guess(bytes), bytes);
  }
}

/** The charset that an HTML page names in its head. */
export function charsetOfPage(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, DECLARED)).toString('latin1');
  return (
    /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]{2,40})/iu.exec(head)?.[1] ?? /^\s*<\?xml[^>]*encoding=["']([\w-]{2,40})/u.exec(head)?.[1]
  );
}

function markOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 'utf-8' : undefined;
}

function decoderOf(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

function decodedAs(label: string, bytes: Uint8Array): string {
  const decoder = decoderOf(label);
  if (decoder === undefined) throw new ParseFault('unprocessable', `The text is in an encoding that cannot be read (${label}).`);
  return decoder.decode(bytes);
}

function guess(bytes: Uint8Array): string {
  const found = chardet.analyse(bytes.subarray(0, SAMPLE)).find(({ name }) => !WIDE.test(name) && decoderOf(name) !== undefined);
  // ISO-8859-1 in files is windows-1252, its superset, as it is on the web.
  return found === undefined || found.name === 'ISO-8859-1' || found.name === 'ASCII' ? 'windows-1252' : found.name;
}

/** UTF-16 without a mark: of a text in it every other byte is mostly zero. */
function plainWide(bytes: Uint8Array): string | undefined {
  const sample = bytes.subarray(0, SAMPLE);
  if (sample.length < FEWEST_WIDE) return undefined;
  const zeros = [0, 0];
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (Math.max(even, odd) < sample.length * 0.2 || Math.min(even, odd) > sample.length * 0.02) return undefined;
  return odd > even ? 'utf-16le' : 'utf-16be';
}
