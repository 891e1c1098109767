import mammoth from 'mammoth';
import { checkedEntries } from './archive';
import { markdownOf } from './markup';
import { ParseFault } from './parse-fault';
import type { ParsedText, ParseRequest } from './parsed-text';

const BODY = 'word/document.xml';
const PROPERTIES = 'docProps/core.xml';
const STYLES = ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh"];
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Reads a Word document as Markdown: headings, lists, tables and notes. Pictures are left out, and nothing that it refers to is fetched. */
export async function parse({ bytes }: ParseRequest): Promise<ParsedText> {
  const { names, texts } = await checkedEntries(bytes, new Set([BODY, PROPERTIES]));
  if (!names.has(BODY)) throw new ParseFault('unsupported_media_type', 'The archive holds no Word document of its own.');
  // The format forbids it, and what may follow it are definitions that grow.
  if (/<!DOCTYPE|<!ENTITY/u.test(texts.get(BODY) ?? ''))
    throw new ParseFault('unprocessable', 'The document is damaged: it declares entities of its own.');
  const html = await htmlOf(bytes);
  const properties = texts.get(PROPERTIES) ?? '';
  const title = /<dc:title>([^<]{1,300})<\/dc:title>/u
    .exec(properties)?.[1]
    ?.replace(/&(\w+);/gu, (_, name: string) => ENTITIES[name] ?? '');
  const text = markdownOf(html);
  if (text === '') throw new ParseFault('unprocessable', 'The document is empty: it holds no text, and pictures are not read.');
  return { text, title: title?.trim() || null, pages: null, markdown: true, columns: null };
}

async function htmlOf(bytes: Uint8Array): Promise<string> {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const convertImage = mammoth.images.imgElement(async () => ({ src: '' }));
    const options = { styleMap: STYLES, convertImage, includeEmbeddedStyleMap: false, externalFileAccess: false };
    return (await mammoth.convertToHtml({ buffer }, options)).value;
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new ParseFault('unprocessable', 'The document is damaged: its text cannot be read.');
  }
}
