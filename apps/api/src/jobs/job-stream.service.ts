import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { JobReader, Jobs } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { Metrics, type Counter } from '@kernel/metrics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthenticatedRequest } from '../http/caller.decorator';
import { encodeEvents, EventStream, type Position } from './event-stream';
import { StreamTiming } from './stream-timing.entity';

/** Streams at once in one process; each holds a socket and polls the log. */
const MOST_STREAMS = 1_000;
const BEGINNING: Position = { after: 0, field: 'after' };

/**
 * Sends a job's events as SSE, past Nest and Fastify: the raw response, one write for each page of committed events. The caller has checked
 * access. Errors before the first byte are problems (404, 400, 410, 503); later the stream just closes and the client resumes.
 */
@Injectable()
export class JobStream implements OnModuleDestroy {
  private readonly logger = new Logger(JobStream.name);
  private readonly streams = new Set<EventStream>();
  private readonly dropped: Counter;
  private draining = false;

  constructor(
    private readonly reader: JobReader,
    private readonly jobs: Jobs,
    private readonly timing: StreamTiming,
    metrics: Metrics,
  ) {
    metrics.gauge({ name: 'job_streams_open', help: 'Event streams that this process sends now.' }, () => [{ value: this.streams.size }]);
    metrics.gauge({ name: 'job_streams_held_bytes', help: 'What was written to event streams and not taken yet.' }, () => [
      { value: this.heldBytes },
    ]);
    this.dropped = metrics.counter({ name: 'job_streams_dropped_total', help: 'Event streams left because their readers took nothing.' });
  }

  /** Bytes in memory for readers that are behind, of all streams. */
  get heldBytes(): number {
    return [...this.streams].reduce((sum, stream) => sum + stream.heldBytes, 0);
  }

  async send(request: FastifyRequest, reply: FastifyReply, jobId: string, position = BEGINNING): Promise<void> {
    const more = await this.reader.check(jobId, position.after, position.field);
    if (!more) {
      await reply.code(204).send();
      return;
    }
    if (this.draining || this.streams.size >= MOST_STREAMS) throw new AppError('unavailable', 'No more event streams here for now.');
    const stream = new EventStream(reply.raw, this.timing.stallMs, () => this.dropped.add());
    this.streams.add(stream);
    const stopWatching = this.watchSight(request, jobId, stream);
    try {
      reply.hijack();
      if (request.raw.socket.destroyed) stream.stop();
      stream.open(reply.getHeaders());
      await this.forward(stream, jobId, position.after);
      if (this.draining) stream.leave();
      else stream.end();
    } catch (error) {
      this.logger.warn(`The stream of job ${jobId} broke off: ${error instanceof Error ? error.message : String(error)}`);
      reply.raw.destroy();
    } finally {
      stopWatching();
      this.streams.delete(stream);
    }
  }

  /** At a drain streams just close: their clients resume where they were. */
  onModuleDestroy(): void {
    this.draining = true;
    for (const stream of this.streams) stream.stop();
  }

  /** Ends the stream once its reader may not see the job any more: it was made private, or is gone. */
  private watchSight(request: FastifyRequest & AuthenticatedRequest, jobId: string, stream: EventStream): () => void {
    const { principal } = request;
    if (principal === undefined) return () => undefined;
    const look = (): Promise<unknown> =>
      this.jobs.get(principal, jobId).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'not_found') stream.stop();
      });
    const timer = setInterval(() => void look(), this.timing.sightMs);
    return () => clearInterval(timer);
  }

  private async forward(stream: EventStream, jobId: string, after: number): Promise<void> {
    const heartbeat = setInterval(() => stream.beat(), this.timing.heartbeatMs);
    try {
      for await (const events of this.reader.pages(jobId, after, stream.signal)) await stream.write(encodeEvents(events));
    } finally {
      clearInterval(heartbeat);
    }
  }
}
