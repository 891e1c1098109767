import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { UsageAccount } from '@features/models';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { FastifyReply } from 'fastify';
import { CallWatch } from './call-watch';

/** The request that a model call answers. */
export interface CallOrigin {
  reply: FastifyReply;
  principal: Principal;
  /** The parameter that holds the text for the model: what is too long when something is. */
  input: 'messages' | 'prompt' | 'input';
}

/**
 * Runs the model calls of requests: nothing goes on for a client that is gone, none waits for its first token without an end, and at a stop of the
 * server those that are not done in half of its time end with `unavailable`.
 */
@Injectable()
export class ModelCalls implements OnModuleDestroy {
  private readonly open = new Set<CallWatch>();
  /** Loading and the first token each have their own time; waiting in the queue shares it. */
  private readonly seconds: number;

  constructor(private readonly config: AppConfig) {
    this.seconds = config.models.coldSeconds + config.models.firstTokenSeconds;
  }

  async run({ reply, principal, input }: CallOrigin, work: (watch: CallWatch, account: UsageAccount) => Promise<void>): Promise<void> {
    const watch = new CallWatch(reply, this.seconds);
    this.open.add(watch);
    const { workspaceId, userId, keyId } = principal;
    try {
      await work(watch, { workspaceId, userId, apiKeyId: keyId ?? null, jobId: null });
    } catch (error) {
      if (!watch.gone) throw named(watch.causeOf(error), input);
      // Nobody is there to be answered.
      reply.hijack();
      reply.raw.destroy();
    } finally {
      this.open.delete(watch);
      watch.begun();
    }
  }

  onModuleDestroy(): void {
    const stopping = new AppError('unavailable', 'The server is stopping.');
    setTimeout(() => this.open.forEach((watch) => watch.stop(stopping)), this.config.shutdownSeconds * 500).unref();
  }
}

/** The runtimes do not know what the parameters are called here; `texts[3]` is their word for the fourth input of an embedding. */
function named(error: unknown, input: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'context_length_exceeded') return error;
  const [fault] = error.errors ?? [];
  const path = fault?.path.replace(/^texts(?=\[)/, input) ?? input;
  const message = fault === undefined ? error.message : `${path}: ${fault.message}.`;
  return new AppError(error.code, message, { errors: [{ path, message: fault?.message ?? error.message }], cause: error });
}
