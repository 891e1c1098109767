import { Injectable } from '@nestjs/common';
import { UserPoints, type Collection, type SentPoint } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ValidationPipe } from '../http/validation.pipe';
import { bulkHeader, bulkPoints, isFramed, type BulkHeader } from './bulk-points';
import { closedSignal } from './closed-signal';
import { putPointsBody, type PutPointsBody } from './points.schema';

/** Points out of the bodies in which they may come. */
@Injectable()
export class PointRequests {
  private readonly pipe = new ValidationPipe();

  constructor(private readonly points: UserPoints) {}

  async put(collection: Collection, request: FastifyRequest, { workspaceId, userId, keyId }: Principal, reply: FastifyReply) {
    const sent = await this.sent(request.body);
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
