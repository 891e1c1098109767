import { promisify } from 'node:util';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import { ParseFault } from './parse-fault';

const MEBIBYTE = 1_048_576;
const MOST_ENTRIES = 5_000;
const MOST_BYTES = 256 * MEBIBYTE;
/** A part of a document; pictures may be larger. */
const MOST_PART_BYTES = 64 * MEBIBYTE;
/** Text packs to a hundredth at best; what unpacks to more, and to much, was made to. */
const MOST_RATIO = 200;
const RATIO_FROM = 8 * MEBIBYTE;

/**
 * Unpacks every entry of a ZIP archive once, counting, before any library gets hold of it: no entry may be larger than it says, and all of
 * them together not larger than a document is; each name stands there once, and everywhere the same. Answers the text of the entries in `wanted`.
 */
export async function checkedEntries(
  bytes: Uint8Array,
  wanted: ReadonlySet<string>,
): Promise<{ names: Set<string>; texts: Map<string, string> }> {
  const archive = await opened(bytes);
  const names = new Set<string>();
  const texts = new Map<string, string>();
  const count = { entries: 0, bytes: 0 };
  try {
    for await (const entry of entriesOf(archive)) {
      count.entries += 1;
      if (count.entries > MOST_ENTRIES) throw bomb(`it has more than ${MOST_ENTRIES} parts`);
      if (names.has(entry.fileName)) throw ambiguous();
      names.add(entry.fileName);
      await assertSameName(archive, entry);
      const content = await unpacked(archive, entry, count);
      if (wanted.has(entry.fileName)) texts.set(entry.fileName, content.toString('utf8'));
    }
  } finally {
    archive.close();
  }
  return { names, texts };
}

async function opened(bytes: Uint8Array): Promise<ZipFile> {
  const open = promisify<Buffer, { lazyEntries: boolean }, ZipFile>(fromBuffer);
  try {
    return await open(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { lazyEntries: true });
  } catch (error) {
    const cut = error instanceof Error && /end of central directory/iu.test(error.message);
    throw new ParseFault(
      'unprocessable',
      cut ? 'The document is truncated: the end of its archive is missing.' : 'The document is damaged: its archive cannot be read.',
    );
  }
}

async function* entriesOf(archive: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      const done = (result?: Entry): void => {
        archive.removeAllListeners();
        resolve(result);
      };
      archive
        .once('entry', done)
        .once('end', () => done())
        .once('error', () => reject(damaged()));
      archive.readEntry();
    });
    if (entry === undefined) return;
    yield entry;
  }
}

/** Two lists of the same names stand in an archive: who reads the one must not see other parts than who reads the other. */
async function assertSameName(archive: ZipFile, entry: Entry): Promise<void> {
  const { fileName } = await archive.readLocalFileHeaderPromise(entry).catch(() => {
    throw damaged();
  });
  if (!fileName.equals(entry.fileNameRaw)) throw ambiguous();
}

/** The bytes of a part of the document itself; of anything else nothing is kept. */
async function unpacked(archive: ZipFile, entry: Entry, count: { bytes: number }): Promise<Buffer> {
  if ((entry.generalPurposeBitFlag & 1) === 1)
    throw new ParseFault('unprocessable', 'The document is encrypted: its parts open with a password only.');
  if (entry.uncompressedSize > MOST_BYTES) throw bomb(`one part unpacks to ${Math.round(entry.uncompressedSize / MEBIBYTE)} MiB`);
  const isPart = /\.(?:xml|rels)$/iu.test(entry.fileName);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    const stream = await promisify(
      archive.openReadStream.bind(archive) as (entry: Entry, done: (error: Error | null, stream: NodeJS.ReadableStream) => void) => void,
    )(entry);
    for await (const chunk of stream) {
      size += chunk.length;
      count.bytes += chunk.length;
      if (count.bytes > MOST_BYTES || (isPart && size > MOST_PART_BYTES))
        throw bomb(`it unpacks to more than ${Math.round(count.bytes / MEBIBYTE)} MiB`);
      if (size > RATIO_FROM && size > entry.compressedSize * MOST_RATIO)
        throw bomb(`a part unpacks to more than ${MOST_RATIO} times its size`);
      if (isPart) parts.push(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof ParseFault ? error : damaged();
  }
  return Buffer.concat(parts);
}

function damaged(): ParseFault {
  return new ParseFault('unprocessable', 'The document is damaged: a part of its archive cannot be unpacked.');
}

function ambiguous(): ParseFault {
  return new ParseFault('unprocessable', 'The document is damaged: its archive says two things about the same part.');
}

function bomb(why: string): ParseFault {
  return new ParseFault('too_large', `The document is refused: ${why}.`);
}
