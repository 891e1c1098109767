import { Injectable } from '@nestjs/common';
import { PointBatches, UserPoints, type Collection, type SentPoint } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ValidationPipe } from '../http/validation.pipe';
import { bulkHeader, bulkPoints, isFramed, type BulkHeader } from './bulk-points';
import { jobView } from '../jobs/jobs.schema';
import { closedSignal } from './closed-signal';
import { putPointsBody, type PutPointsBody } from './points.schema';

/** Points out of the bodies in which they may come. */
@Injectable()
export class PointRequests {
  private readonly pipe = new ValidationPipe();

  constructor(
    private readonly points: UserPoints,
    private readonly batches: PointBatches,
  ) {}

  /** Writes at once, or by a job when the caller prefers that and there are texts to embed. */
  async put(collection: Collection, request: FastifyRequest, principal: Principal, reply: FastifyReply) {
    const sent = await this.sent(request.body);
    if (prefersJob(request) && sent.some((point) => point.vector === undefined)) {
      const job = await this.batches.accept(collection, sent, principal, request.id);
      void reply.code(202).header('Location', `/api/v1/jobs/${job.id}`).header('Preference-Applied', 'respond-async');
      return { job: jobView(job) };
    }
    const { workspaceId, userId, keyId } = principal;
    const account = { workspaceId, userId, apiKeyId: keyId ?? null, jobId: null };
    const ids = await this.points.put(collection, sent, account, closedSignal(reply));
    return { upserted: ids.length, ids };
  }

  private async sent(body: unknown): Promise<SentPoint[]> {
    if (isFramed(body)) {
      const header = (await this.pipe.transform(body.header, { type: 'body', schema: bulkHeader })) as BulkHeader;
      return bulkPoints(header, body.payload);
    }
    const { points } = (await this.pipe.transform(body, { type: 'body', schema: putPointsBody })) as PutPointsBody;
    return points as SentPoint[];
  }
}

/** RFC 7240: preferences in one or several fields, separated by commas, in any case. */
function prefersJob(request: FastifyRequest): boolean {
  return [request.headers.prefer ?? []].flat().some((field) => field.split(',').some((each) => /^\s*respond-async\s*(?:;|$)/i.test(each)));
}
