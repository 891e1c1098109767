import { crc32 } from 'node:zlib';

/** One point as the engine keeps it. */
export interface IndexedVector {
  id: string;
  collectionId: string;
  vector: Float32Array;
}

export type IndexRecord =
  | { kind: 'upsert'; vectors: IndexedVector[] }
  | { kind: 'delete'; ids: string[] }
  /** The end of a snapshot, with the number of its vectors. */
  | { kind: 'end'; count: number };

/**
 * Files of an index: a header, then records. Header: 8 bytes magic, u32 dimensions, u32 CRC-32 of the twelve bytes before. Record: u32 length and
 * u32 CRC-32 of its payload, then the payload: u32 kind, u32 count, ids (16 bytes each), for an upsert collection ids (16 bytes each) and
 * the vectors as float32. All little-endian.
 */
export const HEADER_BYTES = 16;
export const FRAME_BYTES = 8;
/** A length beyond this was never written here. */
export const MOST_PAYLOAD_BYTES = 64 * 1_048_576;

const MAGIC = Buffer.from('SZFAISS1');
const KINDS = { upsert: 1, delete: 2, end: 3 } as const;
const ID_BYTES = 16;

export function headerOf(dimensions: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(dimensions, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

export function isHeader(bytes: Buffer, dimensions: number): boolean {
  return bytes.equals(headerOf(dimensions));
}

/** The record with its frame. */
export function encodeRecord(record: IndexRecord, dimensions: number): Buffer {
  const count = record.kind === 'upsert' ? record.vectors.length : record.kind === 'delete' ? record.ids.length : record.count;
  const each = record.kind === 'upsert' ? 2 * ID_BYTES + 4 * dimensions : record.kind === 'delete' ? ID_BYTES : 0;
  const bytes = Buffer.alloc(FRAME_BYTES + 8 + each * count);
  const payload = bytes.subarray(FRAME_BYTES);
  payload.writeUInt32LE(KINDS[record.kind], 0);
  payload.writeUInt32LE(count, 4);
  if (record.kind === 'delete') record.ids.forEach((id, at) => writeId(payload, id, 8 + at * ID_BYTES));
  if (record.kind === 'upsert') writeVectors(payload, record.vectors, dimensions);
  bytes.writeUInt32LE(payload.length, 0);
  bytes.writeUInt32LE(crc32(payload), 4);
  return bytes;
}

/** The record in a payload whose checksum was right; undefined when this release never wrote such a one. */
export function decodePayload(payload: Buffer, dimensions: number): IndexRecord | undefined {
  if (payload.length < 8) return undefined;
  const kind = payload.readUInt32LE(0);
  const count = payload.readUInt32LE(4);
  const body = payload.length - 8;
  if (kind === KINDS.end && body === 0) return { kind: 'end', count };
  if (kind === KINDS.delete && body === count * ID_BYTES)
    return { kind: 'delete', ids: Array.from({ length: count }, (_, at) => readId(payload, 8 + at * ID_BYTES)) };
  if (kind === KINDS.upsert && body === count * (2 * ID_BYTES + 4 * dimensions))
    return { kind: 'upsert', vectors: readVectors(payload, count, dimensions) };
  return undefined;
}

function writeVectors(payload: Buffer, vectors: IndexedVector[], dimensions: number): void {
  const collections = 8 + vectors.length * ID_BYTES;
  const rows = collections + vectors.length * ID_BYTES;
  vectors.forEach(({ id, collectionId, vector }, at) => {
    writeId(payload, id, 8 + at * ID_BYTES);
    writeId(payload, collectionId, collections + at * ID_BYTES);
    Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).copy(payload, rows + at * 4 * dimensions);
  });
}

function readVectors(payload: Buffer, count: number, dimensions: number): IndexedVector[] {
  const collections = 8 + count * ID_BYTES;
  const rows = new Float32Array(count * dimensions);
  payload.copy(Buffer.from(rows.buffer), 0, collections + count * ID_BYTES);
  return Array.from({ length: count }, (_, at) => ({
    id: readId(payload, 8 + at * ID_BYTES),
    collectionId: readId(payload, collections + at * ID_BYTES),
    vector: rows.subarray(at * dimensions, (at + 1) * dimensions),
  }));
}

function writeId(target: Buffer, id: string, at: number): void {
  target.write(id.replaceAll('-', ''), at, ID_BYTES, 'hex');
}

function readId(source: Buffer, at: number): string {
  const hex = source.toString('hex', at, at + ID_BYTES);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
