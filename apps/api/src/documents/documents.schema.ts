import { DOCUMENT_STATUSES, type StoredDocument } from '@features/documents';
import { ERROR_CODES, type ErrorCode } from '@kernel/errors';
import type { ApiBodyOptions } from '@nestjs/swagger';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

const collection = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is not the name of a collection.');
const externalId = z.string().min(1).max(200).meta({ description: 'Your own id of the document, once in a collection.' });

export const createDocumentBody = z
  .strictObject({
    collection: collection.default('default'),
    name: z.string().trim().min(1).max(255),
    text: z.string().meta({ description: 'Plain text or Markdown, told by its content.' }),
    external_id: externalId.optional(),
    metadata: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({ description: 'Flat: at most 64 fields with strings, finite numbers, booleans or arrays of strings.' }),
  })
  .meta({ id: 'CreateDocumentRequest' });
export type CreateDocumentBody = z.infer<typeof createDocumentBody>;

/** The fields beside the file, as they arrive. */
export const uploadFields = z.strictObject({
  collection: collection.default('default'),
  external_id: externalId.optional(),
  metadata: z.string().optional(),
});
export type UploadFields = z.infer<typeof uploadFields>;

/** Both kinds of body for the OpenAPI document. */
export const CREATE_CONTENT: ApiBodyOptions = {
  required: true,
  schema: {
    oneOf: [
      {
        type: 'object',
        required: ['file'],
        properties: {
          file: { type: 'string', format: 'binary', description: 'Plain text or Markdown (UTF-8, or UTF-16 with a byte order mark).' },
          collection: { type: 'string', default: 'default' },
          external_id: { type: 'string', maxLength: 200 },
          metadata: { type: 'string', description: 'A JSON object.' },
        },
      },
      {
        type: 'object',
        required: ['name', 'text'],
        additionalProperties: false,
        properties: {
          collection: { type: 'string', default: 'default' },
          name: { type: 'string', maxLength: 255 },
          text: { type: 'string', description: 'Plain text or Markdown, told by its content.' },
          external_id: { type: 'string', maxLength: 200 },
          metadata: { type: 'object', additionalProperties: true },
        },
      },
    ],
  },
};

export const listDocumentsQuery = pageQuery.extend({
  collection: collection.optional(),
  status: z.enum(DOCUMENT_STATUSES).optional(),
});
export type ListDocumentsQuery = z.infer<typeof listDocumentsQuery>;

const offset = z.coerce.number().int().min(0).max(2_147_483_647);
export const textQuery = z
  .strictObject({ start: offset.default(0), end: offset.optional() })
  .refine(({ start, end }) => end === undefined || end >= start, { path: ['end'], message: 'must not be before start.' });
export type TextQuery = z.infer<typeof textQuery>;

export const documentSchema = z
  .object({
    id: z.uuid(),
    collection: z.string(),
    name: z.string(),
    external_id: z.string().nullable(),
    media_type: z.string(),
    bytes: z.int(),
    sha256: z.string(),
    status: z.enum(DOCUMENT_STATUSES),
    error: z.object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string(), retryable: z.boolean() }).nullable(),
    language: z.string().nullable().meta({ description: 'ISO 639-1, as detected.' }),
    pages: z.int().nullable(),
    chunks: z.int(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
    job_id: z.uuid().nullable().meta({ description: 'The last job that read it.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Document' });

export const documentListSchema = listSchema('DocumentList', documentSchema);

export const acceptedDocumentSchema = z
  .object({ document: documentSchema, job: jobSchema.nullable().meta({ description: 'Null when the document was there already.' }) })
  .meta({ id: 'AcceptedDocument' });

export const textSliceSchema = z
  .object({
    start: z.int().meta({ description: 'UTF-16 code units of the extracted text.' }),
    end: z.int(),
    length: z.int().meta({ description: 'Of the whole text.' }),
    text: z.string(),
  })
  .meta({ id: 'DocumentText' });

export function documentView(document: StoredDocument): z.infer<typeof documentSchema> {
  return {
    id: document.id,
    collection: document.collection,
    name: document.name,
    external_id: document.externalId,
    media_type: document.mediaType,
    bytes: document.bytes,
    sha256: document.sha256,
    status: document.status,
    error: document.error,
    language: document.language,
    pages: document.pages,
    chunks: document.chunks,
    metadata: document.metadata,
    job_id: document.jobId,
    created_at: document.createdAt.toISOString(),
    updated_at: document.updatedAt.toISOString(),
  };
}
