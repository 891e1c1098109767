import { AppError } from '@kernel/errors';

/** The header of a body whose vectors are bytes. */
export type FrameHeader = Record<string, unknown>;

export const FRAME_TYPE = 'application/octet-stream';
const MOST_HEADER_BYTES = 4 * 1_048_576;

/** A body with vectors: u32 length of the JSON header, the header, then float32 rows; all little-endian. */
export function encodeFrame(header: FrameHeader, rows: readonly Float32Array[]): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(json.length);
  return Buffer.concat([size, json, ...rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength))]);
}

/** Errors: `invalid`. */
export function decodeFrame(body: Buffer): { header: FrameHeader; numbers: Float32Array } {
  const size = body.length < 4 ? Number.POSITIVE_INFINITY : body.readUInt32LE(0);
  if (size > MOST_HEADER_BYTES || body.length < 4 + size || (body.length - 4 - size) % 4 !== 0)
    throw new AppError('invalid', 'The body is not a header and rows of float32.');
  // Copied, for the numbers may begin anywhere.
  const numbers = new Float32Array((body.length - 4 - size) / 4);
  body.copy(Buffer.from(numbers.buffer), 0, 4 + size);
  return { header: parseObject(body.subarray(4, 4 + size)), numbers };
}

/** Errors: `invalid`. */
export function parseObject(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new AppError('invalid', 'The body is not JSON.', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new AppError('invalid', 'The body is not a JSON object.');
  return value as Record<string, unknown>;
}
