import { TextDecoder } from 'node:util';
import { AppError } from '@kernel/errors';

export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be';
export type MediaType = 'text/plain' | 'text/markdown';

/** Beginnings by which other kinds of files are told, and what to call them. */
const SIGNATURES: [number[], string][] = [
  [[0x25, 0x50, 0x44, 0x46], 'a PDF'],
  [[0x50, 0x4b, 0x03, 0x04], 'a ZIP archive or an Office document'],
  [[0x50, 0x4b, 0x05, 0x06], 'a ZIP archive'],
  [[0xd0, 0xcf, 0x11, 0xe0], 'an old Office document'],
  [[0x7b, 0x5c, 0x72, 0x74, 0x66], 'an RTF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image'],
  [[0xff, 0xd8, 0xff], 'a JPEG image'],
  [[0x47, 0x49, 0x46, 0x38], 'a GIF image'],
  [[0x52, 0x49, 0x46, 0x46], 'a RIFF media file'],
  [[0x49, 0x44, 0x33], 'an MP3 recording'],
  [[0x1f, 0x8b], 'a gzip archive'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz archive'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd archive'],
  [[0x52, 0x61, 0x72, 0x21], 'a RAR archive'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66], 'an SQLite database'],
];
const HTML = /^\s*(?:<!doctype html|<html[\s>])/iu;
const MARKDOWN =
  /^ {0,3}#{1,6}[ \t]+\S|^ {0,3}(?:`{3,}|~{3,})|^ {0,3}\S.*\r?\n {0,3}(?:={3,}|-{3,})[ \t]*$|^ {0,3}\|?[ \t]*:?-{3,}:?[ \t]*\||\[[^\]\n]+\]\([^)\s]+\)/mu;
/** Characters by which the kind of text is told. */
const HEAD = 65_536;
/** More control characters than one in ten is no text. */
const CONTROL_SHARE = 0.1;

/**
 * Decides while the bytes pass whether they are a text that can be read: by content, never by name. Errors: `unsupported_media_type`
 * saying what it looks like, `unprocessable` when there is nothing but white space.
 */
export class ContentInspector {
  private first = Buffer.alloc(0);
  private decoder?: TextDecoder;
  private head = '';
  private characters = 0;
  private controls = 0;
  private written = false;

  take(bytes: Buffer): void {
    if (this.decoder !== undefined) return this.read(bytes, true);
    this.first = Buffer.concat([this.first, bytes]);
    if (this.first.length >= 8) this.begin();
  }

  /** Once, after the last byte. */
  finish(): { mediaType: MediaType } {
    if (this.decoder === undefined) this.begin();
    this.read(Buffer.alloc(0), false);
    if (this.controls > this.characters * CONTROL_SHARE) throw unsupported('binary content');
    if (HTML.test(this.head)) throw unsupported('HTML');
    if (!this.written) throw new AppError('unprocessable', 'The document is empty: it holds nothing but white space.');
    return { mediaType: MARKDOWN.test(this.head) ? 'text/markdown' : 'text/plain' };
  }

  private begin(): void {
    const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, index) => this.first[index] === byte));
    if (signature !== undefined) throw unsupported(signature[1]);
    this.decoder = new TextDecoder(encodingOf(this.first), { fatal: true });
    this.read(this.first, true);
  }

  private read(bytes: Buffer, stream: boolean): void {
    let text: string;
    try {
      text = this.decoder?.decode(bytes, { stream }) ?? '';
    } catch {
      throw unsupported('binary content or a text in another encoding than UTF-8 or UTF-16');
    }
    this.characters += text.length;
    this.controls += text.match(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/gu)?.length ?? 0;
    this.written ||= /[^\s\0\p{Cf}]/u.test(text);
    if (this.head.length < HEAD) this.head += text.slice(0, HEAD - this.head.length);
  }
}

/** By the byte order mark; without one it can only be UTF-8. */
export function encodingOf(bytes: Buffer): TextEncoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return 'utf-8';
}

function unsupported(looksLike: string): AppError {
  return new AppError('unsupported_media_type', `Only plain text and Markdown can be read; this looks like ${looksLike}.`);
}
