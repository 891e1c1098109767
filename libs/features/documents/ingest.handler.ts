import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { JobHandler, Jobs, type JobContext, type JobFailure, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal } from '@kernel/identity';
import { DocumentSweep } from './document-sweep.service';
import { DocumentTries } from './document-tries.service';
import { ingestDocument, type IngestDocument } from './documents.jobs';
import { IngestWriter, type IngestedText } from './ingest-writer.service';

/** How long after its end a job's leavings are waited for; what is missed then goes at the next sweep. */
const SETTLING_MS = 30_000;
const CANCELLED: JobFailure = { code: 'cancelled', message: 'Reading the document was cancelled.', retryable: false };

/**
 * Reads a document: text, chunks, vectors, batch by batch behind the scenes; the transaction that ends the job makes all of it visible at once,
 * or nothing. Continues after a crash with the first batch that is not in the ledger.
 */
@Injectable()
export class IngestHandler extends JobHandler<IngestDocument, IngestedText> {
  readonly contract = ingestDocument;

  constructor(
    private readonly writer: IngestWriter,
    private readonly tries: DocumentTries,
    private readonly sweep: DocumentSweep,
    private readonly jobs: Jobs,
  ) {
    super();
  }

  async run(context: JobContext<IngestDocument>): Promise<IngestedText> {
    try {
      return await this.writer.write(context);
    } catch (error) {
      // The document may have been deleted meanwhile; of one that is only tried again nothing is removed.
      void this.sweep.document(context.payload.document_id);
      throw error;
    }
  }

  async settle(connection: Queryable, job: SettledJob<IngestDocument>, outcome: JobOutcome<IngestedText>): Promise<object> {
    if (outcome.status === 'succeeded') return this.writer.show(connection, job.payload, outcome.result);
    await this.writer.fail(connection, job.payload, outcome.status === 'failed' ? outcome.error : CANCELLED);
    // Not awaited: the end is not committed yet, and only then may anything be removed.
    void this.jobs
      .finished(job.id, SETTLING_MS, AbortSignal.timeout(SETTLING_MS))
      .then(() => this.sweep.document(job.payload.document_id))
      .catch(() => undefined);
    return {};
  }

  async retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    if (!roleAtLeast(principal.role, 'editor') || !principal.scopes.has('documents:write')) {
      throw new AppError('forbidden', 'Reading a document again needs the role editor and the scope documents:write.');
    }
    const { document_id: documentId } = ingestDocument.payload.parse(job.payload);
    const jobId = await this.tries.again(documentId, { principal, requestId }, job.id);
    if (jobId === undefined) throw new AppError('conflict', 'The document is gone or no longer failed.');
    return { jobId };
  }
}
