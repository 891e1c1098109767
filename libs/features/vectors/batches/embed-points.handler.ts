import { Injectable } from '@nestjs/common';
import type { Queryable } from '@backing/postgres';
import { JobHandler, type JobContext, type JobOutcome, type SettledJob, type StoredJob } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal } from '@kernel/identity';
import { z } from 'zod';
import { CollectionSpaces } from '../collection-spaces.service';
import { Collections } from '../collections.service';
import type { CheckedPoint } from '../points/point';
import { PointWriter, type PointTarget } from '../points/point-writer.service';
import { PointBatchesRepository } from './point-batches.repository';
import { PointBatches } from './point-batches.service';
import { embedPoints, type EmbedPoints } from './points.jobs';

/** Points embedded and written in one step; what is written is searchable at once. */
const STEP = 16;

const progressed = z.object({ written: z.int().min(0) });

interface EmbeddedBatch {
  upserted: number;
  ids: string[];
}

/** Embeds and writes a batch step by step. A step that is written is not embedded again, whoever dies in between. */
@Injectable()
export class EmbedPointsHandler extends JobHandler<EmbedPoints, EmbeddedBatch> {
  readonly contract = embedPoints;

  constructor(
    private readonly repository: PointBatchesRepository,
    private readonly batches: PointBatches,
    private readonly collections: Collections,
    private readonly spaces: CollectionSpaces,
    private readonly writer: PointWriter,
  ) {
    super();
  }

  async run(context: JobContext<EmbedPoints>): Promise<EmbeddedBatch> {
    const points = await this.repository.read(context.payload.batch_id);
    if (points === undefined) throw AppError.notFound('The batch of points');
    const collection = await this.collections.get(context.payload.collection_id);
    const target = { collection, space: await this.spaces.of(collection), ownerId: context.ownerId };
    const from = progressed.safeParse(context.checkpoint).data?.written ?? 0;
    // The step before may have come to its commit alone.
    const last = points.slice(Math.max(0, from - STEP), from);
    await this.writer.settle(
      target,
      last.map((point) => point.id),
    );
    for (let at = from; at < points.length; at += STEP) await this.step(context, target, points, at);
    return { upserted: points.length, ids: points.map((point) => point.id) };
  }

  async settle(connection: Queryable, job: SettledJob<EmbedPoints>, outcome: JobOutcome<EmbeddedBatch>): Promise<object> {
    if (outcome.status !== 'succeeded') return {};
    await this.repository.remove(connection, job.payload.batch_id);
    return outcome.result;
  }

  async retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    if (!roleAtLeast(principal.role, 'editor')) throw new AppError('forbidden', 'Writing points needs the role editor.');
    return this.batches.again(embedPoints.payload.parse(job.payload), principal, requestId, job.id);
  }

  private async step(context: JobContext<EmbedPoints>, target: PointTarget, points: CheckedPoint[], at: number): Promise<void> {
    const { workspaceId, ownerId: userId, apiKeyId, jobId, signal } = context;
    const part = points.slice(at, at + STEP);
    const embedded = await this.writer.embedded(part, target.space, { workspaceId, userId, apiKeyId, jobId }, signal);
    const rows = await this.writer.rows(target, embedded);
    const done = at + part.length;
    const written = await context.transaction((connection) => this.writer.record(connection, target, rows), { written: done });
    await this.writer.publish(target, rows, written);
    await context.progress({ done, total: points.length, unit: 'points', message: 'Embedding the texts' });
  }
}
