import { Injectable } from '@nestjs/common';
import {
  DocumentIntake,
  DocumentOriginals,
  DocumentReplacements,
  type AcceptedDocument,
  type KnownRevisions,
  type OriginalPlace,
  type ReceivedContent,
  type StoredDocument,
} from '@features/documents';
import { asMetadata, type Metadata } from '@features/vectors';
import { Jobs, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { parseJsonBody } from '../http/json-body';
import { ValidationPipe } from '../http/validation.pipe';
import { CREATE_BODIES, REPLACE_BODIES } from './documents.schema';
import { UploadReader } from './upload-reader.service';

export interface TakenDocument {
  document: StoredDocument;
  /** Null when the document was there already. */
  job: StoredJob | null;
}

/** Which document is meant; nothing of it where the path says it. */
interface Target {
  collection?: string;
  external_id?: string;
}
type Described = Target & { name?: string; metadata?: Record<string, unknown> };

/** The three kinds of request, which say the same beside the content. */
interface Bodies {
  form: z.ZodType<Target & { metadata?: string }>;
  text: z.ZodType<Described & { text: string }>;
  url: z.ZodType<Described & { url: string }>;
}

interface Read {
  content: ReceivedContent;
  target: Target;
  name?: string;
  metadata?: Metadata;
}

/** New documents and new contents out of each kind of request: a form with a file, a text or an address as JSON. */
@Injectable()
export class DocumentRequests {
  private readonly pipe = new ValidationPipe();

  constructor(
    private readonly uploads: UploadReader,
    private readonly originals: DocumentOriginals,
    private readonly intake: DocumentIntake,
    private readonly replacements: DocumentReplacements,
    private readonly jobs: Jobs,
  ) {}

  async create(request: FastifyRequest, principal: Principal): Promise<TakenDocument> {
    const { content, name, metadata, target } = await this.read(request, CREATE_BODIES);
    const wanted = { name, metadata, collection: target.collection ?? 'default', externalId: target.external_id ?? null };
    return this.taken(principal, await this.intake.accept(content, wanted, { principal, requestId: request.id }));
  }

  async replace(request: FastifyRequest, principal: Principal, id: string, known: KnownRevisions): Promise<TakenDocument> {
    const place = await this.replacements.reserve(principal.workspaceId, id, known);
    const { content, name, metadata } = await this.read(request, REPLACE_BODIES, place).catch(async (error: unknown) => {
      await this.originals.discard(place);
      throw error;
    });
    const origin = { principal, requestId: request.id };
    return this.taken(principal, await this.replacements.replace(content, { name, metadata }, origin, known));
  }

  private async read(request: FastifyRequest, bodies: Bodies, place?: OriginalPlace): Promise<Read> {
    if (request.isMultipart()) return this.upload(request, bodies, place);
    const { body } = request;
    if (typeof body === 'object' && body !== null && 'url' in body) {
      const fields = await this.valid(body, bodies.url);
      const { name, url } = fields;
      return { target: fields, name, metadata: metadataOf(fields.metadata), content: this.originals.awaited(url, place) };
    }
    const fields = await this.valid(body, bodies.text);
    const { name, text } = fields;
    const metadata = metadataOf(fields.metadata);
    return { target: fields, name, metadata, content: await this.originals.receive(Buffer.from(text, 'utf8'), { name, place }) };
  }

  private async upload(request: FastifyRequest, { form }: Bodies, place?: OriginalPlace): Promise<Read> {
    const { content, name, fields } = await this.uploads.read(request, { schema: form, place });
    try {
      const metadata = fields.metadata === undefined ? undefined : metadataOf(jsonField('metadata', fields.metadata));
      return { content, name, target: fields, metadata };
    } catch (error) {
      await this.originals.discard(content);
      throw error;
    }
  }

  private async valid<T>(body: unknown, schema: z.ZodType<T>): Promise<T> {
    return (await this.pipe.transform(body, { type: 'body', schema })) as T;
  }

  private async taken(principal: Principal, { document, jobId }: AcceptedDocument): Promise<TakenDocument> {
    return { document, job: jobId === null ? null : await this.jobs.get(principal, jobId) };
  }
}

const metadataOf = (value: unknown): Metadata | undefined => (value === undefined ? undefined : asMetadata(value));

function jsonField(path: string, text: string): unknown {
  try {
    return parseJsonBody(Buffer.from(text, 'utf8'));
  } catch (error) {
    if (error instanceof AppError && error.code === 'unprocessable') throw error;
    throw AppError.field('invalid', path, 'must be a JSON object.');
  }
}
