const BYTEA_OID = 17;
/** Dimensions, flags, type of the elements; then length and lower bound of the one dimension. */
const HEADER = 20;

/** A `bytea[]` in PostgreSQL's binary format: a parameter that costs no text on either side. */
export function byteaArray(elements: Uint8Array[]): Buffer {
  return arrayOf(BYTEA_OID, elements);
}

/** One pgvector value in its binary format: dimensions, two unused bytes, float32 big-endian. */
export function vectorValue(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(4 + vector.length * 4);
  bytes.writeInt16BE(vector.length, 0);
  const target = new DataView(bytes.buffer, bytes.byteOffset + 4, vector.length * 4);
  for (let at = 0; at < vector.length; at += 1) target.setFloat32(at * 4, vector[at] ?? 0);
  return bytes;
}

/** A `vector[]` in binary format; the type's oid is the database's own. */
export function vectorArray(oid: number, vectors: Float32Array[]): Buffer {
  return arrayOf(oid, vectors.map(vectorValue));
}

/** Source: `array_recv` of PostgreSQL (src/backend/utils/adt/arrayfuncs.c). */
function arrayOf(oid: number, elements: Uint8Array[]): Buffer {
  if (elements.length === 0) return Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, oid >>> 24, (oid >>> 16) & 255, (oid >>> 8) & 255, oid & 255]);
  const bytes = Buffer.alloc(HEADER + elements.reduce((sum, each) => sum + 4 + each.length, 0));
  bytes.writeInt32BE(1, 0);
  bytes.writeUInt32BE(oid, 8);
  bytes.writeInt32BE(elements.length, 12);
  bytes.writeInt32BE(1, 16);
  let at = HEADER;
  for (const each of elements) {
    at = bytes.writeInt32BE(each.length, at);
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}
