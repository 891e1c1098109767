import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { UserDeletion } from '@features/auth';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { RemainsRepository } from './remains.repository';
import { WorkspaceRemoval } from './workspace-removal.service';

/**
 * Deletes people: their private sessions, runs and jobs go with them, and the workspaces that only they were in; what they shared stays.
 * What a crash left goes at the next start.
 */
@Injectable()
export class UserRemoval implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(UserRemoval.name);
  private resumed: Promise<void> = Promise.resolve();

  constructor(
    private readonly deletion: UserDeletion,
    private readonly workspaces: WorkspaceRemoval,
    private readonly jobs: Jobs,
    private readonly remains: RemainsRepository,
  ) {}

  onApplicationBootstrap(): void {
    this.resumed = this.resume().catch((error: unknown) =>
      this.logger.warn({ msg: 'What a deleted person left could not be removed yet', err: error }),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.resumed;
  }

  /** By an instance admin. Answers once all that was private to the person is gone. Errors: those of `UserDeletion`. */
  async remove(principal: Principal, id: string, accepted?: number[]): Promise<void> {
    const closed = await this.deletion.delete(principal, id, accepted);
    await this.clear(id);
    for (const workspaceId of closed) await this.workspaces.empty(workspaceId);
  }

  private async clear(id: string): Promise<void> {
    await this.jobs.cancelAll({ ownerId: id });
    await this.remains.removeOfPerson(id);
  }

  private async resume(): Promise<void> {
    for (const id of await this.remains.deletedPeople()) await this.clear(id);
  }
}
