import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { JobReader, Jobs } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthenticatedRequest } from '../http/caller.decorator';
import { encodeEvents, EventStream } from './event-stream';

const HEARTBEAT_MS = 10_000;
const STALL_MS = 30_000;
/** Who may see a job can change while its events are read. */
const SIGHT_MS = 1_500;
/** Streams at once in one process; each holds a socket and polls the log. */
const MOST_STREAMS = 1_000;

/**
 * Sends a job's events as SSE, past Nest and Fastify: the raw response, one write for each page of committed events. The caller has checked
 * access. Errors before the first byte are problems (404, 400, 410, 503); later the stream just closes and the client resumes.
 */
@Injectable()
export class JobStream implements OnModuleDestroy {
  private readonly logger = new Logger(JobStream.name);
  private readonly streams = new Set<AbortController>();
  private draining = false;

  constructor(
    private readonly reader: JobReader,
    private readonly jobs: Jobs,
  ) {}

  async send(request: FastifyRequest, reply: FastifyReply, jobId: string, after: number): Promise<void> {
    const more = await this.reader.check(jobId, after);
    if (!more) {
      await reply.code(204).send();
      return;
    }
    if (this.draining || this.streams.size >= MOST_STREAMS) throw new AppError('unavailable', 'No more event streams here for now.');
    const controller = new AbortController();
    this.streams.add(controller);
    const stopWatching = this.watchSight(request, jobId, controller);
    try {
      reply.hijack();
      const stream = new EventStream(reply.raw, controller, STALL_MS);
      if (request.raw.socket.destroyed) controller.abort();
      stream.open(reply.getHeaders());
      await this.forward(stream, jobId, after, controller.signal);
      if (this.draining) stream.leave();
      else stream.end();
    } catch (error) {
      this.logger.warn(`The stream of job ${jobId} broke off: ${error instanceof Error ? error.message : String(error)}`);
      reply.raw.destroy();
    } finally {
      stopWatching();
      this.streams.delete(controller);
    }
  }

  /** At a drain streams just close: their clients resume where they were. */
  onModuleDestroy(): void {
    this.draining = true;
    for (const controller of this.streams) controller.abort();
  }

  /** Ends the stream once its reader may not see the job any more: it was made private, or is gone. */
  private watchSight(request: FastifyRequest & AuthenticatedRequest, jobId: string, controller: AbortController): () => void {
    const { principal } = request;
    if (principal === undefined) return () => undefined;
    const look = (): Promise<unknown> =>
      this.jobs.get(principal, jobId).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'not_found') controller.abort();
      });
    const timer = setInterval(() => void look(), SIGHT_MS);
    return () => clearInterval(timer);
  }

  private async forward(stream: EventStream, jobId: string, after: number, signal: AbortSignal): Promise<void> {
    const heartbeat = setInterval(() => stream.beat(), HEARTBEAT_MS);
    try {
      for await (const events of this.reader.pages(jobId, after, signal)) await stream.write(encodeEvents(events));
    } finally {
      clearInterval(heartbeat);
    }
  }
}
