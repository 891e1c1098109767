import { DOCUMENT_STATUSES, type StoredDocument } from '@features/documents';
import { ERROR_CODES, type ErrorCode } from '@kernel/errors';
import type { ApiBodyOptions } from '@nestjs/swagger';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

const collection = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is not the name of a collection.');
const externalId = z.string().min(1).max(200).meta({ description: 'Your own id of the document, once in a collection.' });

const name = z.string().trim().min(1).max(255);
const metadata = z
  .record(z.string(), z.unknown())
  .meta({ description: 'Flat: at most 64 fields with strings, finite numbers, booleans or arrays of strings.' });
/** What a document's content is; the form carries a file instead. */
const text = z.string().meta({ description: 'Plain text, Markdown, HTML, CSV or JSON, told by its content.' });
const url = z
  .string()
  .min(1)
  .max(2048)
  .meta({ description: 'Fetched by the job: http or https, a public address on port 80 or 443, or one that EGRESS_ALLOW names.' });
const where = { collection: collection.default('default'), external_id: externalId.optional() };

/** Bodies of a new document. Metadata of a form is JSON text. */
export const CREATE_BODIES = {
  form: z.strictObject({ ...where, metadata: z.string().optional() }),
  text: z.strictObject({ ...where, name, text, metadata: metadata.optional() }),
  url: z.strictObject({ ...where, name: name.optional(), url, metadata: metadata.optional() }),
};
/** Bodies of a new content. What is not given stays. */
export const REPLACE_BODIES = {
  form: z.strictObject({ metadata: z.string().optional() }),
  text: z.strictObject({ name: name.optional(), text, metadata: metadata.optional() }),
  url: z.strictObject({ name: name.optional(), url, metadata: metadata.optional() }),
};

export const changeDocumentBody = z
  .strictObject({ name: name.optional(), metadata: metadata.optional() })
  .meta({ id: 'ChangeDocumentRequest' });
export type ChangeDocumentBody = z.infer<typeof changeDocumentBody>;

const FILE = { type: 'string', format: 'binary', description: 'PDF, DOCX, HTML, Markdown, plain text, CSV or JSON, told by its content.' };
const METADATA = { type: 'object', additionalProperties: true, description: 'Flat: strings, finite numbers, booleans, arrays of strings.' };
const WHERE = { collection: { type: 'string', default: 'default' }, external_id: { type: 'string', minLength: 1, maxLength: 200 } };
const NAME = { type: 'string', minLength: 1, maxLength: 255 };
const TEXT = { type: 'string', description: 'Told by its content: plain text, Markdown, HTML, CSV or JSON.' };
const URL_FIELD = { type: 'string', maxLength: 2048, description: 'Fetched by the job; http or https.' };

/** The kinds of body for the OpenAPI document. */
function contentBody(fields: object, required: string[]): ApiBodyOptions {
  const json = { ...fields, name: NAME, metadata: METADATA };
  const strict = { type: 'object', additionalProperties: false } as const;
  const form = {
    ...strict,
    required: ['file'],
    properties: { file: FILE, ...fields, metadata: { type: 'string', description: 'A JSON object.' } },
  };
  const written = [
    { ...strict, required: [...required, 'text'], properties: { ...json, text: TEXT } },
    { ...strict, required: ['url'], properties: { ...json, url: URL_FIELD } },
  ];
  return { required: true, schema: { oneOf: [form, ...written] } } as ApiBodyOptions;
}
export const CREATE_CONTENT = contentBody(WHERE, ['name']);
export const REPLACE_CONTENT = contentBody({}, []);

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

export const listChunksQuery = pageQuery.extend({ order: z.enum(['asc', 'desc']).default('asc') });
export type ListChunksQuery = z.infer<typeof listChunksQuery>;

export const documentSchema = z
  .object({
    id: z.uuid(),
    collection: z.string(),
    name: z.string(),
    external_id: z.string().nullable(),
    title: z.string().nullable().meta({ description: 'As the content names itself.' }),
    source_url: z.string().nullable().meta({ description: 'Where it was fetched from.' }),
    media_type: z.string().meta({ description: 'As told by the content; application/octet-stream until that of a url has arrived.' }),
    bytes: z.int(),
    sha256: z.string().nullable().meta({ description: 'Of the original; null until the content of a url has arrived.' }),
    status: z.enum(DOCUMENT_STATUSES),
    error: z
      .object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string(), retryable: z.boolean() })
      .nullable()
      .meta({
        description: 'Why reading failed. Of a document that is ready: why its last replacement failed; what it had is still there.',
      }),
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

export const chunkSchema = z
  .object({
    id: z.string(),
    ordinal: z.int(),
    page: z.int().nullable().meta({ description: 'The page on which it begins; null without pages.' }),
    start: z.int().meta({ description: 'UTF-16 code units of the extracted text.' }),
    end: z.int(),
    heading: z.string().nullable(),
    text: z.string(),
    tokens: z.int(),
  })
  .meta({ id: 'DocumentChunk' });
export const chunkListSchema = listSchema('DocumentChunkList', chunkSchema);

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
    title: document.title,
    external_id: document.externalId,
    source_url: document.sourceUrl,
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
