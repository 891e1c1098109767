import { Breather } from './breather';
import { encodingOf } from './content.inspector';

const SLICE = 262_144;

/** The text of a stored original: without byte order mark, and U+FFFD for U+0000, which no database holds. */
export async function decode(bytes: Buffer): Promise<string> {
  const decoder = new TextDecoder(encodingOf(bytes), { fatal: true });
  const breather = new Breather();
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += SLICE) {
    parts.push(decoder.decode(bytes.subarray(at, at + SLICE), { stream: true }).replaceAll('\0', '\ufffd'));
    await breather.pause();
  }
  parts.push(decoder.decode());
  return parts.join('');
}
