import { defineJob } from '@kernel/jobs';
import { z } from 'zod';

/** Reads a document's original, cuts it into chunks and makes them searchable. */
export const ingestDocument = defineJob(
  'documents.ingest',
  z.strictObject({
    document_id: z.uuid(),
    /** The document's version that this job prepares. */
    version: z.int().min(1),
  }),
  { needs: 'documents:write' },
);
export type IngestDocument = z.infer<typeof ingestDocument.payload>;
