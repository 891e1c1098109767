import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { AppError } from '@kernel/errors';

const DECODERS: Record<string, () => Transform> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
};

/** Sizes in bytes: of what comes over the wire, and of what that unfolds to. */
export interface BodyLimits {
  maxBytes: number;
  maxDecodedBytes: number;
}

/**
 * The body of an answer as it was before its sender packed it. Stops at the first byte too many, packed or unpacked: `too_large`.
 * `unprocessable` for a packing that was not asked for or that is damaged.
 */
export async function* decodedBody(raw: Readable, encoding: string | undefined, limits: BodyLimits): AsyncGenerator<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? '';
  const packed = bounded(raw, limits.maxBytes);
  if (name === '' || name === 'identity') return yield* packed;
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name]?.() : undefined;
  if (decoder === undefined) throw new AppError('unprocessable', 'The answer is packed in a way that was not asked for.');
  // A failure of either side ends the other; the decoder carries it to the loop below.
  pipeline(packed, decoder, () => undefined);
  try {
    yield* bounded(decoder, limits.maxDecodedBytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^(?:Z_|ERR_BROTLI|ERR__ERROR|ERR_PADDING)/u.test(code))
      throw new AppError('unprocessable', 'The answer is packed, and damaged or cut off.', { cause: error });
    throw error;
  } finally {
    decoder.destroy();
  }
}

async function* bounded(source: Readable, most: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    const buffer = Buffer.from(chunk as Uint8Array);
    bytes += buffer.length;
    if (bytes > most) throw new AppError('too_large', `The content is larger than ${most} bytes.`);
    yield buffer;
  }
}
