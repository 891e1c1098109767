import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Audit } from '@features/audit';
import { Jobs } from '@features/jobs';
import { CollectionRemains, DEFAULT_COLLECTION, type Collection } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { DocumentRemoval } from './document-removal.service';

/** Deletes collections with everything in them: documents, points, and the jobs that work on them. */
@Injectable()
export class CollectionRemoval implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(CollectionRemoval.name);
  private resumed: Promise<void> = Promise.resolve();

  constructor(
    private readonly remains: CollectionRemains,
    private readonly removal: DocumentRemoval,
    private readonly jobs: Jobs,
    private readonly audit: Audit,
  ) {}

  /** What a crash left of deletions. */
  onApplicationBootstrap(): void {
    this.resumed = this.resume().catch((error: unknown) =>
      this.logger.warn({ msg: 'What a deleted collection left could not be removed yet', err: error }),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.resumed;
  }

  /**
   * From the first moment nobody finds the collection, and its name is free. Answers once its documents are gone; points follow in the
   * background. Errors: `not_found`, `conflict` (the default collection stays), `precondition_failed`.
   */
  async remove(principal: Principal, name: string, accepted: number[] | undefined): Promise<void> {
    if (name === DEFAULT_COLLECTION) throw new AppError('conflict', 'Every workspace keeps its collection default.');
    const { workspaceId } = principal;
    const collection = await this.remains.bury(workspaceId, name, accepted, (connection, { id }) =>
      this.audit.add(connection, { workspaceId, actor: principal, action: 'collection.deleted', subject: { kind: 'collection', id } }),
    );
    await this.empty(collection);
    void this.remains.sweep();
  }

  /** Everything of a workspace that nobody is in any more, its collection default too. Resolves when the points are gone as well. */
  async removeAll(workspaceId: string): Promise<void> {
    for (const collection of await this.remains.buryAll(workspaceId)) await this.empty(collection);
    await this.remains.sweep();
  }

  private async resume(): Promise<void> {
    for (const collection of await this.remains.buried()) await this.empty(collection);
    await this.remains.sweep();
  }

  private async empty(collection: Collection): Promise<void> {
    await this.jobs.cancelSubject(collection.id);
    for (const id of await this.remains.documents(collection)) {
      await this.removal.remove(collection.workspaceId, id).catch((error: unknown) => {
        // Somebody else deleted it in between: that is as good.
        if (!(error instanceof AppError && error.code === 'not_found')) throw error;
      });
    }
  }
}
