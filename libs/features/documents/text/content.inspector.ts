import { TextDecoder } from 'node:util';
import { AppError } from '@kernel/errors';
import { ArchiveMarks } from './archive.marks';
import { beginningOf, FIRST_BYTES, type Beginning } from './signatures';
import { kindOfText, type TextMediaType } from './text-kind';

export type MediaType = TextMediaType | 'application/pdf' | 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
/** Characters by which the kind of text is told. */
const HEAD = 65_536;
/** More control characters than one in ten is no text; in bytes that are not UTF-8, than one in a hundred. */
const CONTROL_SHARE = 0.1;
const LEGACY_CONTROL_SHARE = 0.01;
/** UTF-16 without a mark: at least so many of the bytes are zero, and they stand in every other place. */
const WIDE_ZEROS = 0.2;
const WIDE_STRAYS = 0.02;
const FEWEST_WIDE = 32;

/**
 * Decides while the bytes pass what kind of document they are: by content; the name decides between kinds of text only where the content
 * leaves it open. Errors: `unsupported_media_type` saying what it looks like, `unprocessable` when it is empty or encrypted.
 */
export class ContentInspector {
  private first = Buffer.alloc(0);
  private beginning?: Beginning;
  private decoder?: TextDecoder;
  private readonly marks = new ArchiveMarks();
  private head = '';
  private bytes = 0;
  private zeros: [number, number] = [0, 0];
  private controls = 0;
  private written = false;

  constructor(private readonly name = '') {}

  take(bytes: Buffer): void {
    if (this.beginning !== undefined) return this.read(bytes);
    this.first = Buffer.concat([this.first, bytes]);
    if (this.first.length >= FIRST_BYTES) this.begin();
  }

  /** Once, after the last byte. */
  finish(): { mediaType: MediaType } {
    const beginning = this.beginning ?? this.begin();
    if (beginning.kind === 'pdf') return { mediaType: 'application/pdf' };
    if (beginning.kind === 'ole') throw this.marks.has('an encrypted document') ? encrypted() : unsupported('an old Office document');
    if (beginning.kind === 'zip') {
      if (!this.marks.has('a Word document')) throw unsupported(this.marks.name('a ZIP archive'));
      return { mediaType: DOCX };
    }
    this.readText(Buffer.alloc(0), false);
    const wide = this.isWide();
    if (!wide && this.isBinary()) throw unsupported('binary content');
    if (!this.written) throw new AppError('unprocessable', 'The document is empty: it holds nothing but white space.');
    return { mediaType: kindOfText(wide ? this.head.replaceAll('\0', '') : this.head, this.name, this.head.length < HEAD) };
  }

  private begin(): Beginning {
    this.beginning = beginningOf(this.first);
    if (this.beginning.kind === 'other') throw unsupported(this.beginning.what);
    this.decoder = decoderOf(this.first);
    this.read(this.first);
    return this.beginning;
  }

  private read(bytes: Buffer): void {
    const kind = this.beginning?.kind;
    if (kind === 'zip' || kind === 'ole') this.marks.take(bytes);
    if (kind === 'text') this.readText(bytes, true);
  }

  private readText(bytes: Buffer, stream: boolean): void {
    const text = this.decoded(bytes, stream);
    this.controls += text.match(/[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/gu)?.length ?? 0;
    this.written ||= /[^\s\0\p{Cf}]/u.test(text);
    if (this.head.length < HEAD) this.head += text.slice(0, HEAD - this.head.length);
    if (this.decoder?.encoding !== 'utf-16le' && this.decoder?.encoding !== 'utf-16be') this.countZeros(bytes);
    this.bytes += bytes.length;
  }

  /** From the first byte on that is not UTF-8, an older encoding: which one is found out when the text is read. */
  private decoded(bytes: Buffer, stream: boolean): string {
    try {
      return this.decoder?.decode(bytes, { stream }) ?? '';
    } catch {
      this.decoder = new TextDecoder('windows-1252');
      return this.decoder.decode(bytes, { stream });
    }
  }

  private countZeros(bytes: Buffer): void {
    for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at + 1)) this.zeros[(this.bytes + at) % 2 === 0 ? 0 : 1] += 1;
  }

  private isWide(): boolean {
    const [even, odd] = this.zeros;
    if (this.bytes < FEWEST_WIDE) return false;
    return Math.max(even, odd) >= this.bytes * WIDE_ZEROS && Math.min(even, odd) <= this.bytes * WIDE_STRAYS;
  }

  private isBinary(): boolean {
    const legacy = this.decoder?.encoding === 'windows-1252';
    if (legacy && this.zeros[0] + this.zeros[1] > 0) return true;
    return this.controls > this.bytes * (legacy ? LEGACY_CONTROL_SHARE : CONTROL_SHARE);
  }
}

/** By the byte order mark; what is not UTF-8 shows itself on the way. */
function decoderOf(bytes: Buffer): TextDecoder {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be');
  return new TextDecoder('utf-8', { fatal: true });
}

function encrypted(): AppError {
  return new AppError('unprocessable', 'The document is encrypted: it opens with a password only.');
}

function unsupported(looksLike: string): AppError {
  return new AppError(
    'unsupported_media_type',
    `PDF, DOCX, HTML, Markdown, plain text, CSV and JSON can be read; this looks like ${looksLike}.`,
  );
}
