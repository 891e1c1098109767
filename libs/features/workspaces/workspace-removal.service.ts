import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { WorkspaceClosing } from '@features/auth';
import { CollectionRemoval, DocumentSweep } from '@features/documents';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { RemainsRepository } from './remains.repository';

/**
 * Deletes workspaces. From the first moment nobody gets in and no job goes on; documents with their blobs, points, conversations, runs and agents
 * follow in the background, the row of the workspace last. What a crash left goes at the next start. Usage and audit stay: they are the record.
 */
@Injectable()
export class WorkspaceRemoval implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WorkspaceRemoval.name);
  private last: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly closing: WorkspaceClosing,
    private readonly jobs: Jobs,
    private readonly collections: CollectionRemoval,
    private readonly documents: DocumentSweep,
    private readonly remains: RemainsRepository,
  ) {}

  onApplicationBootstrap(): void {
    void this.enqueue(async () => {
      for (const id of await this.closing.closed()) await this.one(id);
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.last;
  }

  /** By an owner. Answers once it is closed and its jobs are cancelled. Errors: `not_found`, `forbidden`, `precondition_failed`. */
  async remove(principal: Principal, id: string, accepted?: number[]): Promise<void> {
    await this.closing.close(principal, id, accepted);
    await this.empty(id);
  }

  /** Of a workspace that is closed already. */
  async empty(id: string): Promise<void> {
    await this.jobs.cancelAll({ workspaceId: id });
    void this.enqueue(() => this.one(id));
  }

  /** Resolves when nothing is left to do, whether it worked or not. */
  async idle(): Promise<void> {
    await this.last;
    await this.documents.idle();
  }

  private async one(id: string): Promise<void> {
    if (this.stopping) return;
    await this.jobs.cancelAll({ workspaceId: id });
    await this.collections.removeAll(id);
    await this.remains.removeOfWorkspace(id);
    if (!(await this.closing.remove(id))) this.logger.warn({ msg: 'Something of a deleted workspace is left; it goes at the next start' });
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    this.last = this.last.then(async () => {
      if (this.stopping) return;
      await work().catch((error: unknown) => this.logger.warn({ msg: 'What a workspace left could not be removed yet', err: error }));
    });
    return this.last;
  }
}
