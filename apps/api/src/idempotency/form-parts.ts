import { createHash } from 'node:crypto';
import type {} from '@fastify/multipart';
import { AppError } from '@kernel/errors';
import type { FastifyRequest } from 'fastify';
import { sha256, type FormPart } from './fingerprint';

/** The parts of a form that was stored before: read to the end, and only told apart. Error: `invalid` (no form), `too_large` (over `maxBytes`). */
export async function formParts(request: FastifyRequest, maxBytes: number): Promise<FormPart[]> {
  const parts: FormPart[] = [];
  let left = maxBytes;
  try {
    for await (const part of request.parts({ limits: { fileSize: Number.POSITIVE_INFINITY } })) {
      if (part.type !== 'file') parts.push([part.fieldname, sha256(String(part.value))]);
      else {
        const hash = createHash('sha256');
        for await (const chunk of part.file as AsyncIterable<Buffer>) {
          left -= chunk.length;
          if (left < 0) throw new AppError('too_large', `The file is larger than ${maxBytes} bytes.`);
          hash.update(chunk);
        }
        parts.push([part.fieldname, hash.digest('hex')]);
      }
    }
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('invalid', 'The body is not a complete multipart form.', { cause: error });
  }
  return parts;
}
