import { decode } from './encoding';
import type { ParsedText, ParseRequest } from './parsed-text';

/** Plain text and Markdown: as it stands. */
export function parse({ bytes, mediaType, charset }: ParseRequest): ParsedText {
  return { text: decode(bytes, charset), title: null, pages: null, markdown: mediaType === 'text/markdown', columns: null };
}
