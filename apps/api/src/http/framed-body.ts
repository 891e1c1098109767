import { AppError } from '@kernel/errors';

const LENGTH_BYTES = 4;

/** A binary body: a JSON header, and bytes that it describes. */
export interface FramedBody {
  header: unknown;
  payload: Buffer;
}

/** Splits `4-byte little-endian length, JSON header, payload`; `read` reads the header. Errors: `invalid`, and those of `read`. */
export async function framedBody(body: Buffer, read: (header: Buffer) => unknown): Promise<FramedBody> {
  const length = body.length < LENGTH_BYTES ? 0 : body.readUInt32LE(0);
  if (length === 0 || length > body.length - LENGTH_BYTES)
    throw AppError.field('invalid', 'body', 'must begin with the length of its JSON header in 4 bytes, little-endian.');
  const end = LENGTH_BYTES + length;
  return { header: await read(body.subarray(LENGTH_BYTES, end)), payload: body.subarray(end) };
}
