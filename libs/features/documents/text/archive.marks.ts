/** Names of entries, which stand uncompressed in a ZIP archive, and of streams in an OLE file, with what they tell. */
const MARKS: [string, BufferEncoding, string][] = [
  ['word/document', 'latin1', 'a Word document'],
  ['xl/workbook', 'latin1', 'an Excel workbook'],
  ['ppt/presentation', 'latin1', 'a PowerPoint presentation'],
  ['application/vnd.oasis.opendocument', 'latin1', 'an OpenDocument file'],
  ['application/epub+zip', 'latin1', 'an EPUB book'],
  ['META-INF/MANIFEST', 'latin1', 'a Java program'],
  ['EncryptedPackage', 'utf16le', 'an encrypted document'],
];
const LONGEST = 80;

/** Looks for marks in a file while its bytes pass. */
export class ArchiveMarks {
  private readonly seen = new Set<string>();
  private carried: Buffer = Buffer.alloc(0);

  take(bytes: Buffer): void {
    const window = Buffer.concat([this.carried, bytes]);
    for (const [mark, encoding, what] of MARKS) if (!this.seen.has(what) && window.includes(mark, 0, encoding)) this.seen.add(what);
    this.carried = Buffer.from(window.subarray(-LONGEST));
  }

  has(what: 'a Word document' | 'an encrypted document'): boolean {
    return this.seen.has(what);
  }

  /** The best word for what this is. */
  name(otherwise: string): string {
    return MARKS.map(([, , what]) => what).find((what) => this.seen.has(what)) ?? otherwise;
  }
}
