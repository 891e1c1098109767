import { createHash } from 'node:crypto';

/** A vector as the ledger stores it: float32, little-endian whatever the machine. */
export function vectorBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < vector.length; at += 1) view.setFloat32(at * 4, vector[at] ?? 0, true);
  return bytes;
}

export function vectorOf(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const vector = new Float32Array(bytes.byteLength / 4);
  for (let at = 0; at < vector.length; at += 1) vector[at] = view.getFloat32(at * 4, true);
  return vector;
}

export function vectorHash(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
