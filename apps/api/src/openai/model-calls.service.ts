import { Injectable } from '@nestjs/common';
import type { UsageAccount } from '@features/models';
import { AppConfig } from '@kernel/config';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { CallWatch } from './call-watch';

/** Runs the model calls of requests: nothing goes on for a client that is gone, and none waits for its first token without an end. */
@Injectable()
export class ModelCalls {
  /** Loading and the first token each have their own time; waiting in the queue shares it. */
  private readonly seconds: number;

  constructor(config: AppConfig) {
    this.seconds = config.models.coldSeconds + config.models.firstTokenSeconds;
  }

  async run(reply: FastifyReply, principal: Principal, work: (watch: CallWatch, account: UsageAccount) => Promise<void>): Promise<void> {
    const watch = new CallWatch(reply, this.seconds);
    const { workspaceId, userId, keyId } = principal;
    try {
      await work(watch, { workspaceId, userId, apiKeyId: keyId ?? null, jobId: null });
    } catch (error) {
      if (!watch.gone) throw watch.causeOf(error);
      // Nobody is there to be answered.
      reply.hijack();
      reply.raw.destroy();
    } finally {
      watch.begun();
    }
  }
}
