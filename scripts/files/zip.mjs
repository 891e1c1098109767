import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';

// Layout and signatures: PKWARE APPNOTE.TXT 6.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (end record).
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 65_535;
const STORED = 0;
const DEFLATED = 8;

/**
 * Lists the files of a zip archive (a wheel is one) from its central directory. Each entry: `name`, `size` (bytes unpacked),
 * `packed`, `method`, `crc`, `offset`. Zip64, encryption and split archives are refused.
 */
export async function listZip(path) {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const tail = await readAt(file, Math.max(0, size - END_BYTES - LONGEST_COMMENT), Math.min(size, END_BYTES + LONGEST_COMMENT));
    const at = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (at < 0 || tail.length - at < END_BYTES || tail.readUInt32LE(at) !== END) throw new Error(`${path} is not a zip archive`);
    const count = tail.readUInt16LE(at + 10);
    const directory = await readAt(file, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
    return entries(directory, count, path);
  } finally {
    await file.close();
  }
}

/** Unpacks one listed entry to `target`, checking its length and CRC-32. */
export async function extractEntry(path, entry, target) {
  const file = await open(path, 'r');
  try {
    const header = await readAt(file, entry.offset, LOCAL_BYTES);
    if (header.readUInt32LE(0) !== LOCAL) throw new Error(`${path} has no entry where "${entry.name}" should start`);
    const start = entry.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
    await mkdir(dirname(target), { recursive: true });
    if (entry.packed === 0) return await pipeline([Buffer.alloc(0)], verify(entry), createWriteStream(target));
    const packed = file.createReadStream({ start, end: start + entry.packed - 1, autoClose: false, highWaterMark: 1 << 20 });
    const unpack = entry.method === DEFLATED ? [createInflateRaw()] : [];
    await pipeline(packed, ...unpack, verify(entry), createWriteStream(target));
  } finally {
    await file.close();
  }
}

/** Unpacks every entry that `wanted(name)` accepts below `folder`; a name that would leave the folder is refused. */
export async function extractZip(path, folder, wanted) {
  const chosen = (await listZip(path)).filter((entry) => !entry.name.endsWith('/') && wanted(entry.name));
  for (const entry of chosen) {
    const target = resolve(folder, entry.name);
    if (!target.startsWith(resolve(folder) + sep)) throw new Error(`${path} holds an entry outside its folder: "${entry.name}"`);
    await extractEntry(path, entry, target);
  }
  return chosen.length;
}

function entries(directory, count, path) {
  const found = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL) throw new Error(`${path} has a damaged directory`);
    const nameBytes = directory.readUInt16LE(at + 28);
    const entry = {
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    };
    refuseUnreadable(entry, directory.readUInt16LE(at + 8), path);
    found.push(entry);
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return found;
}

function refuseUnreadable(entry, flags, path) {
  const known = entry.method === STORED || entry.method === DEFLATED;
  const zip64 = [entry.size, entry.packed, entry.offset].includes(0xffffffff);
  if (!known || zip64 || flags & 1) throw new Error(`${path} packs "${entry.name}" in a way that is not read here`);
}

function verify(entry) {
  let bytes = 0;
  let crc = 0;
  return new Transform({
    transform(chunk, _encoding, done) {
      bytes += chunk.length;
      crc = crc32(chunk, crc);
      done(bytes > entry.size ? new Error(`"${entry.name}" is longer than its archive says`) : null, chunk);
    },
    flush(done) {
      done(bytes === entry.size && crc === entry.crc ? null : new Error(`"${entry.name}" is damaged in its archive`));
    },
  });
}

async function readAt(file, position, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Error('the archive is cut off');
  return buffer;
}
