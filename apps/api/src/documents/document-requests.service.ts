import { Injectable } from '@nestjs/common';
import { asMetadata, DocumentIntake, type NewDocument, type ReceivedContent, type StoredDocument } from '@features/documents';
import { Jobs, type StoredJob } from '@features/jobs';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { FastifyRequest } from 'fastify';
import { parseJsonBody } from '../http/json-body';
import { ValidationPipe } from '../http/validation.pipe';
import { createDocumentBody, type CreateDocumentBody } from './documents.schema';
import { UploadReader } from './upload-reader.service';

export interface CreatedDocument {
  document: StoredDocument;
  /** Null when the document was there already. */
  job: StoredJob | null;
}

/** A new document out of either kind of request. */
@Injectable()
export class DocumentRequests {
  private readonly pipe = new ValidationPipe();

  constructor(
    private readonly uploads: UploadReader,
    private readonly intake: DocumentIntake,
    private readonly jobs: Jobs,
    private readonly config: AppConfig,
  ) {}

  async create(request: FastifyRequest, principal: Principal): Promise<CreatedDocument> {
    const { content, wanted } = request.isMultipart() ? await this.upload(request) : await this.text(request.body);
    const { document, jobId } = await this.intake.accept(content, wanted, { principal, requestId: request.id });
    return { document, job: jobId === null ? null : await this.jobs.get(principal, jobId) };
  }

  private async upload(request: FastifyRequest): Promise<{ content: ReceivedContent; wanted: NewDocument }> {
    const { content, name, fields } = await this.uploads.read(request);
    try {
      const metadata = asMetadata(fields.metadata === undefined ? {} : jsonField('metadata', fields.metadata));
      return { content, wanted: { collection: fields.collection, name, externalId: fields.external_id ?? null, metadata } };
    } catch (error) {
      await this.intake.discard(content);
      throw error;
    }
  }

  private async text(body: unknown): Promise<{ content: ReceivedContent; wanted: NewDocument }> {
    const given = (await this.pipe.transform(body, { type: 'body', schema: createDocumentBody })) as CreateDocumentBody;
    const metadata = asMetadata(given.metadata);
    const content = await this.intake.receive(Buffer.from(given.text, 'utf8'), this.config.http.uploadBytes);
    return { content, wanted: { collection: given.collection, name: given.name, externalId: given.external_id ?? null, metadata } };
  }
}

function jsonField(path: string, text: string): unknown {
  try {
    return parseJsonBody(Buffer.from(text, 'utf8'));
  } catch (error) {
    if (error instanceof AppError && error.code === 'unprocessable') throw error;
    throw AppError.field('invalid', path, 'must be a JSON object.');
  }
}
