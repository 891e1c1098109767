import { Injectable } from '@nestjs/common';
import { Jobs } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { DocumentErasure } from './document-erasure.service';
import { assertKnown, type KnownRevisions } from './document-replacements.service';
import { DocumentSweep } from './document-sweep.service';
import { DocumentsRepository } from './documents.repository';

export interface DocumentRemovalOptions {
  known?: KnownRevisions;
  /** Who deletes this one document; without, it goes with something larger. */
  by?: Principal;
}

/** Deletes documents everywhere. */
@Injectable()
export class DocumentRemoval {
  constructor(
    private readonly repository: DocumentsRepository,
    private readonly jobs: Jobs,
    private readonly sweep: DocumentSweep,
    private readonly erasure: DocumentErasure,
  ) {}

  /**
   * Answers once the document's row is gone: from then on no search shows it, whatever a store still holds. Its jobs end first, so that none
   * of them writes any more; vectors, text and original follow in the background. Errors: `not_found`, `precondition_failed`.
   */
  async remove(workspaceId: string, id: string, { known, by }: DocumentRemovalOptions = {}): Promise<void> {
    const document = await this.repository.find(workspaceId, id);
    if (document === undefined) throw AppError.notFound('The document');
    assertKnown(document, known);
    await this.jobs.cancelSubject(id);
    const removed = await this.erasure.erase(workspaceId, id, by);
    void this.sweep.document(id);
    if (!removed) throw AppError.notFound('The document');
  }
}
