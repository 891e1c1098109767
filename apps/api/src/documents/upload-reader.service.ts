import { finished } from 'node:stream/promises';
import type {} from '@fastify/multipart';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentOriginals, type OriginalPlace, type ReceivedContent } from '@features/documents';
import { AppError } from '@kernel/errors';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { checkText } from '../http/json-body';
import { sha256, type FormPart } from '../idempotency/fingerprint';
import { IdempotentRequests } from '../idempotency/idempotent-requests.service';
import { ValidationPipe } from '../http/validation.pipe';

const LONGEST_NAME = 255;
/** How long the rest of a refused upload is read, so that its sender hears why. */
const LINGER_MS = 10_000;
const LIMITS = {
  files: 1,
  fields: 8,
  parts: 9,
  fieldSize: 65_536,
  fieldNameSize: 100,
  headerPairs: 20,
  fileSize: Number.POSITIVE_INFINITY,
};

export interface Upload<Fields> {
  content: ReceivedContent;
  name: string;
  fields: Fields;
}

export interface UploadForm<Fields> {
  /** Of the fields beside the file. */
  schema: z.ZodType<Fields>;
  /** Reserved for the file; unset for a new document. */
  place?: OriginalPlace;
}

interface Found {
  content?: ReceivedContent;
  name?: string;
}

/** Reads a multipart upload: the file goes straight into the store, the fields may stand before or after it. What is refused leaves nothing. */
@Injectable()
export class UploadReader {
  private readonly pipe = new ValidationPipe();

  constructor(
    host: HttpAdapterHost<FastifyAdapter>,
    private readonly originals: DocumentOriginals,
    private readonly repeats: IdempotentRequests,
  ) {
    host.httpAdapter.useMultipart();
  }

  async read<Fields>(request: FastifyRequest, { schema, place }: UploadForm<Fields>): Promise<Upload<Fields>> {
    const found: Found = {};
    try {
      const fields = await this.parts(request, found, place);
      if (found.content === undefined) throw AppError.field('invalid', 'file', 'a file is required.');
      this.repeats.tellForm(request, partsOf(found.content, fields));
      checkText(fields, '');
      const valid = (await this.pipe.transform<unknown>(fields, { type: 'body', schema })) as Fields;
      return { content: found.content, name: found.name ?? 'document', fields: valid };
    } catch (error) {
      if (found.content !== undefined) await this.originals.discard(found.content);
      await drain(request);
      throw translated(error);
    }
  }

  private async parts(request: FastifyRequest, found: Found, place: OriginalPlace | undefined): Promise<Record<string, string>> {
    // Without a prototype: a name is in it only when it was sent.
    const fields = Object.create(null) as Record<string, string>;
    for await (const part of request.parts({ limits: LIMITS })) {
      if (part.type === 'file') {
        if (part.fieldname !== 'file') throw AppError.field('invalid', part.fieldname, 'is not a known field.');
        found.name = nameOf(part.filename);
        found.content = await this.originals.receive(part.file, { name: found.name, contentType: part.mimetype, place });
      } else {
        if (part.valueTruncated || part.fieldnameTruncated)
          throw AppError.field('too_large', part.fieldname, `is longer than ${LIMITS.fieldSize} bytes.`);
        if (part.fieldname in fields) throw AppError.field('invalid', part.fieldname, 'is there twice.');
        fields[part.fieldname] = String(part.value);
      }
    }
    return fields;
  }
}

function partsOf({ sha256: ofFile }: ReceivedContent, fields: Record<string, string>): FormPart[] {
  return [['file', ofFile ?? ''], ...Object.entries(fields).map(([name, value]): FormPart => [name, sha256(value)])];
}

/** The file's own name without folders. */
function nameOf(filename: string | undefined): string {
  const name = (filename ?? '').split(/[/\\]/u).at(-1)?.trim() ?? '';
  checkText(name, 'file');
  return /^\.{0,2}$/u.test(name) ? 'document' : name.slice(0, LONGEST_NAME).toWellFormed();
}

/** A connection that is closed while its sender still writes would take the answer with it. */
async function drain(request: FastifyRequest): Promise<void> {
  const { raw } = request;
  if (raw.readableEnded || raw.destroyed) return;
  raw.unpipe();
  raw.resume();
  await finished(raw, { writable: false, signal: AbortSignal.timeout(LINGER_MS) }).catch(() => undefined);
}

/** The multipart parser's own errors: limits are `too_large`, everything else is a malformed body. */
function translated(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && code.startsWith('FST_') && code.endsWith('_LIMIT')) {
    return new AppError('invalid', 'The form has more parts than one file and its fields.', { cause: error });
  }
  if (
    (typeof code === 'string' && code.startsWith('FST_')) ||
    /multipart|unexpected end|part terminated|boundary/iu.test(String(message))
  ) {
    return new AppError('invalid', 'The body is not a complete multipart form.', { cause: error });
  }
  return error;
}
