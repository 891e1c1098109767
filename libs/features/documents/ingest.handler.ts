import { Injectable } from '@nestjs/common';
import { isUniqueViolation, type Queryable } from '@backing/postgres';
import { JobHandler, Jobs, type JobContext, type JobFailure, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal } from '@kernel/identity';
import { DocumentFetch, type KnownContent } from './document-fetch.service';
import { contentTaken } from './document-replacements.service';
import { DocumentSweep } from './document-sweep.service';
import { DocumentTries } from './document-tries.service';
import { ingestDocument, type IngestDocument } from './documents.jobs';
import { IngestWriter, type IngestedText } from './ingest-writer.service';

type IngestResult = IngestedText | KnownContent;

/** How long after its end a job's leavings are waited for; what is missed then goes at the next sweep. */
const SETTLING_MS = 30_000;
const CANCELLED: JobFailure = { code: 'cancelled', message: 'Reading the document was cancelled.', retryable: false };

/**
 * Fetches a document when it was given by its address, and reads it: text, chunks, vectors, batch by batch behind the scenes; the transaction that ends the job makes all of it visible at once,
 * or nothing. Continues after a crash with the first batch that is not in the ledger.
 */
@Injectable()
export class IngestHandler extends JobHandler<IngestDocument, IngestResult> {
  readonly contract = ingestDocument;

  constructor(
    private readonly fetcher: DocumentFetch,
    private readonly writer: IngestWriter,
    private readonly tries: DocumentTries,
    private readonly sweep: DocumentSweep,
    private readonly jobs: Jobs,
  ) {
    super();
  }

  async run(context: JobContext<IngestDocument>): Promise<IngestResult> {
    try {
      return (await this.fetcher.bring(context)) ?? (await this.writer.write(context));
    } catch (error) {
      // The document may have been deleted meanwhile; of one that is only tried again nothing is removed.
      void this.sweep.document(context.payload.document_id);
      throw error;
    }
  }

  async settle(connection: Queryable, job: SettledJob<IngestDocument>, outcome: JobOutcome<IngestResult>): Promise<object> {
    // Not awaited: the end is not committed yet, and only then may anything be removed.
    if (outcome.status !== 'succeeded' || job.payload.version > 1 || 'known' in outcome.result) void this.sweepAfter(job);
    if (outcome.status === 'succeeded') return this.succeed(connection, job, outcome.result);
    await this.writer.fail(connection, job.payload, outcome.status === 'failed' ? outcome.error : CANCELLED);
    return {};
  }

  private async succeed(
    connection: Queryable,
    { workspaceId, payload }: SettledJob<IngestDocument>,
    result: IngestResult,
  ): Promise<object> {
    if ('known' in result) return this.fetcher.conclude(connection, workspaceId, payload, result);
    try {
      return await this.writer.show(connection, payload, result);
    } catch (error) {
      throw isUniqueViolation(error, 'documents_content') ? contentTaken() : error;
    }
  }

  private async sweepAfter(job: SettledJob<IngestDocument>): Promise<void> {
    const ended = await this.jobs.finished(job.id, SETTLING_MS, AbortSignal.timeout(SETTLING_MS)).catch(() => undefined);
    if (ended !== undefined) await this.sweep.document(job.payload.document_id);
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
