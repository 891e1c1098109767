import { createHash } from 'node:crypto';

/** A vector as the ledger stores it: float32, little-endian whatever the machine. */
export function vectorBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes;
}

export function vectorOf(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}

export function vectorHash(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
