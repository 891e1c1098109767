import { readFileSync } from 'node:fs';

export interface GgufTensor {
  shape: number[];
  type: number;
  bytes: Buffer;
  offset: number;
}

export interface GgufFile {
  version: number;
  metadata: Map<string, unknown>;
  tensors: Map<string, GgufTensor>;
}

const BYTES_PER_VALUE = new Map([
  [0, 4],
  [1, 2],
]);

/** A small GGUF reader for the tests, written from the format's description and not from the converter. */
export function readGguf(path: string): GgufFile {
  const cursor = new Cursor(readFileSync(path));
  if (cursor.take(4).toString('latin1') !== 'GGUF') throw new Error('no GGUF file');
  const version = cursor.u32();
  const tensorCount = cursor.u64();
  const metadata = new Map<string, unknown>();
  for (let left = cursor.u64(); left > 0; left--) metadata.set(cursor.text(), cursor.value(cursor.u32()));
  const table = Array.from({ length: tensorCount }, () => {
    const name = cursor.text();
    const shape = Array.from({ length: cursor.u32() }, () => cursor.u64());
    return { name, shape, type: cursor.u32(), offset: cursor.u64() };
  });
  const start = Math.ceil(cursor.position / 32) * 32;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, type, offset } of table) {
    const length = shape.reduce((product, side) => product * side, BYTES_PER_VALUE.get(type) ?? NaN);
    tensors.set(name, { shape, type, offset, bytes: cursor.buffer.subarray(start + offset, start + offset + length) });
  }
  return { version, metadata, tensors };
}

class Cursor {
  position = 0;

  constructor(readonly buffer: Buffer) {}

  take(length: number): Buffer {
    this.position += length;
    return this.buffer.subarray(this.position - length, this.position);
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  u64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  text(): string {
    return this.take(this.u64()).toString('utf8');
  }

  value(type: number): unknown {
    if (type === 4) return this.u32();
    if (type === 5) return this.take(4).readInt32LE();
    if (type === 6) return this.take(4).readFloatLE();
    if (type === 7) return this.take(1)[0] === 1;
    if (type === 8) return this.text();
    if (type !== 9) throw new Error(`metadata of type ${type}`);
    const item = this.u32();
    return Array.from({ length: this.u64() }, () => this.value(item));
  }
}
