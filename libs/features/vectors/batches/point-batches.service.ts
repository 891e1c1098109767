import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Jobs, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { v7 } from 'uuid';
import type { Collection } from '../collection';
import { CollectionSpaces } from '../collection-spaces.service';
import { checkedPoints } from '../points/checked-points';
import type { SentPoint } from '../points/point';
import { PointBatchesRepository } from './point-batches.repository';
import { embedPoints, type EmbedPoints } from './points.jobs';

/** Takes batches of points whose texts are too many to be embedded while the caller waits. Errors: as for points that are written at once. */
@Injectable()
export class PointBatches implements OnApplicationBootstrap {
  private readonly logger = new Logger(PointBatches.name);

  constructor(
    private readonly repository: PointBatchesRepository,
    private readonly spaces: CollectionSpaces,
    private readonly jobs: Jobs,
  ) {}

  onApplicationBootstrap(): void {
    this.repository.removeOrphans().catch((error: unknown) => this.logger.warn({ msg: 'Old batches of points stay', err: error }));
  }

  /** Everything is checked now; what is written later is what was checked. */
  async accept(collection: Collection, points: SentPoint[], principal: Principal, requestId: string | null): Promise<StoredJob> {
    const checked = checkedPoints(points, await this.spaces.of(collection));
    const batchId = v7();
    const job = this.acceptance({ collection_id: collection.id, batch_id: batchId }, principal, requestId);
    await this.repository.accept(batchId, collection.id, checked, job);
    this.jobs.wake();
    return this.jobs.get(principal, job.jobId);
  }

  /** Another job for the batch of an ended one. Errors: `not_found` when the batch has gone with its collection. */
  async again(payload: EmbedPoints, principal: Principal, requestId: string | null, retryOf: string): Promise<{ jobId: string }> {
    const job = this.acceptance(payload, principal, requestId, retryOf);
    if (!(await this.repository.acceptAgain(payload.batch_id, job))) throw AppError.notFound('The batch of points');
    return { jobId: job.jobId };
  }

  private acceptance(payload: EmbedPoints, { workspaceId, userId, keyId }: Principal, requestId: string | null, retryOf?: string) {
    const subjectId = payload.collection_id;
    return this.jobs.acceptance(embedPoints, payload, {
      workspaceId,
      ownerId: userId,
      apiKeyId: keyId ?? null,
      subjectId,
      requestId,
      retryOf,
    });
  }
}
