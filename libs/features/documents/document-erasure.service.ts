import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Audit } from '@features/audit';
import type { Principal } from '@kernel/identity';
import { CitationsRepository } from './citations.repository';
import { DocumentsRepository } from './documents.repository';

/** Takes a document's row away together with what stored answers quote of it. */
@Injectable()
export class DocumentErasure {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly repository: DocumentsRepository,
    private readonly citations: CitationsRepository,
    private readonly audit: Audit,
  ) {}

  /** False when it is gone already. With `by` the audit log says who did it; without, it goes with something larger that is told of there. */
  erase(workspaceId: string, id: string, by: Principal | undefined): Promise<boolean> {
    return this.postgres.transaction(async (connection) => {
      // First of all: an answer that is just ending holds the row, and what it stored is seen only after that.
      await this.repository.lock(connection, workspaceId, id);
      await this.citations.forget(connection, workspaceId, id);
      const removed = await this.repository.remove(connection, workspaceId, id);
      if (removed && by !== undefined) {
        await this.audit.add(connection, { workspaceId, actor: by, action: 'document.deleted', subject: { kind: 'document', id } });
      }
      return removed;
    });
  }
}
