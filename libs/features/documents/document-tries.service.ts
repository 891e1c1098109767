import { Injectable } from '@nestjs/common';
import { isUniqueViolation, PostgresClient, type Queryable } from '@backing/postgres';
import { Jobs, type Acceptance } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { StoredDocument } from './document';
import { DocumentReplacementsRepository } from './document-replacements.repository';
import { ingestDocument } from './documents.jobs';
import { DocumentsRepository } from './documents.repository';

/** Who asks, and in which request. */
export interface Origin {
  principal: Principal;
  requestId: string | null;
}

/** Jobs that read a document: the first, and another for one that failed. */
@Injectable()
export class DocumentTries {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly replacements: DocumentReplacementsRepository,
    private readonly jobs: Jobs,
    private readonly postgres: PostgresClient,
  ) {}

  /** To be put into the statement that writes the document. */
  acceptance(documentId: string, version: number, { principal, requestId }: Origin, retryOf?: string): Acceptance {
    return this.jobs.acceptance(
      ingestDocument,
      { document_id: documentId, version },
      {
        workspaceId: principal.workspaceId,
        ownerId: principal.userId,
        apiKeyId: principal.keyId ?? null,
        subjectId: documentId,
        requestId,
        retryOf,
        accepted: { document_id: documentId },
      },
    );
  }

  /** After the accepting statement: once it is committed the job starts, and the one before it ends. */
  async begun(before: string | null): Promise<void> {
    this.jobs.wake();
    if (before !== null) await this.postgres.afterCommit(() => this.jobs.supersede(before));
  }

  /**
   * Another try of a failed document or replacement, under a version of its own: nothing that is still being removed of the last one can meet it.
   * Undefined when the document is gone or no longer failed; `conflict` when the collection got the same content by another document.
   */
  async again(documentId: string, origin: Origin, retryOf?: string): Promise<string | undefined> {
    const jobId = await this.postgres
      .transaction(async (connection) => {
        const document = await this.repository.lock(connection, origin.principal.workspaceId, documentId);
        if (document === undefined || !(await this.failed(connection, document))) return undefined;
        const job = this.acceptance(documentId, document.version + 1, origin, retryOf);
        await this.repository.tryAgain(connection, documentId, job);
        return job.jobId;
      })
      .catch((error: unknown) => {
        if (!isUniqueViolation(error, 'documents_content')) throw error;
        throw new AppError('conflict', 'The collection has another document with the same content by now.');
      });
    if (jobId !== undefined) this.jobs.wake();
    return jobId;
  }

  /** Whether there is something to try again; a failed replacement is made ready for it. */
  private async failed(connection: Queryable, document: StoredDocument): Promise<boolean> {
    if (document.status === 'failed') return true;
    return document.status === 'ready' && document.error !== null && (await this.replacements.again(connection, document));
  }
}
