import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Jobs } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { CitationsRepository } from './citations.repository';
import { assertKnown, type KnownRevisions } from './document-replacements.service';
import { DocumentSweep } from './document-sweep.service';
import { DocumentsRepository } from './documents.repository';

/** Deletes documents everywhere. */
@Injectable()
export class DocumentRemoval {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly citations: CitationsRepository,
    private readonly jobs: Jobs,
    private readonly sweep: DocumentSweep,
    private readonly postgres: PostgresClient,
  ) {}

  /**
   * Answers once the document's row is gone: from then on no search shows it, whatever a store still holds. Its jobs end first, so that none
   * of them writes any more; vectors, text and original follow in the background. Errors: `not_found`, `precondition_failed`.
   */
  async remove(workspaceId: string, id: string, known?: KnownRevisions): Promise<void> {
    const document = await this.repository.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    assertKnown(document, known);
    await this.jobs.cancelSubject(id);
    const removed = await this.postgres.transaction(async (connection) => {
      // First of all: an answer that is just ending holds the row, and what it stored is seen only after that.
      await this.repository.lock(connection, workspaceId, id);
      await this.citations.forget(connection, workspaceId, id);
      return this.repository.remove(connection, workspaceId, id);
    });
    void this.sweep.document(id);
    if (!removed) throw AppError.notFound('The document');
  }
}
