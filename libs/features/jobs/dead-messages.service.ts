import { Injectable, Logger } from '@nestjs/common';
import type { DeadMessage } from '@kernel/jobs';
import { Metrics, type Counter } from '@kernel/metrics';
import { JobOutboxRepository } from './job-outbox.repository';
import { OutboxRelay } from './outbox-relay.service';

/**
 * Decides what becomes of a message that the transport has given up. A job that still waits gets another one, for its own attempts say when it is enough; of one
 * that is at work or over nothing is left to do, and what names no job can only be counted.
 */
@Injectable()
export class DeadMessages {
  private readonly logger = new Logger(DeadMessages.name);
  private readonly counter: Counter;

  constructor(
    metrics: Metrics,
    private readonly outbox: JobOutboxRepository,
    private readonly relay: OutboxRelay,
  ) {
    this.counter = metrics.counter({
      name: 'jobs_dead_messages_total',
      help: 'Messages that the broker had given up, by its reason.',
      labels: ['reason'],
    });
  }

  /** Resolves when the message is needed no more. Errors: those of the database. */
  async take({ message, reason }: DeadMessage): Promise<void> {
    const renewed = message !== undefined && (await this.outbox.renew(message.job_id));
    if (renewed) this.relay.wake();
    this.counter.add({ reason });
    const what = message === undefined ? 'A message that names no job' : `The message of job ${message.job_id} (${message.kind})`;
    this.logger.warn(
      `${what} was given up by the broker: ${reason}. ${renewed ? 'The job waits, and gets another one.' : 'Nothing waits for it.'}`,
    );
  }
}
