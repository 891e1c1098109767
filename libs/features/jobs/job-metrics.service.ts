import { Injectable } from '@nestjs/common';
import { Metrics, type Reading } from '@kernel/metrics';
import { JobSignals } from './job-signals.service';
import { JobsRepository } from './jobs.repository';

/** Seconds, from a chat answer to the ingestion of a library. */
const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];
/** Milliseconds for which one look into the table serves everybody who asks. */
const FRESH = 5_000;

/** Jobs as figures: those that wait and run (of all processes, from the table) and those that this process ended. */
@Injectable()
export class JobMetrics {
  private look?: { at: number; readings: Promise<Reading[]> };

  constructor(
    metrics: Metrics,
    signals: JobSignals,
    private readonly jobs: JobsRepository,
  ) {
    metrics.gauge({ name: 'jobs_open', help: 'Jobs that are not over, of all processes.', labels: ['kind', 'status'] }, () => this.open());
    const finished = metrics.counter({
      name: 'jobs_finished_total',
      help: 'Jobs that this process ended.',
      labels: ['kind', 'outcome'],
    });
    const durations = metrics.histogram(
      { name: 'jobs_duration_seconds', help: 'From the first attempt of a job to its end.', labels: ['kind', 'outcome'] },
      BUCKETS,
    );
    signals.onEnded(({ kind, status: outcome, startedAt, finishedAt }) => {
      finished.add({ kind, outcome });
      if (startedAt !== null && finishedAt !== null)
        durations.observe({ kind, outcome }, Math.max(0, finishedAt.getTime() - startedAt.getTime()) / 1_000);
    });
  }

  private open(): Promise<Reading[]> {
    const now = performance.now();
    if (this.look === undefined || now - this.look.at > FRESH) this.look = { at: now, readings: this.count() };
    return this.look.readings;
  }

  private async count(): Promise<Reading[]> {
    const counts = await this.jobs.openCounts();
    return counts.map(({ kind, status, count }) => ({ labels: { kind, status }, value: count }));
  }
}
