import { Injectable } from '@nestjs/common';
import { AppConfig } from '@kernel/config';
import type { IndicatorAnswer, ServiceIndicator } from '@kernel/health';
import { ProcessesRepository, type Workload } from './processes.repository';

/** A job that is due waits for longer: the workers do not keep up. */
const LAG_SECONDS = 30;

/** Whether somebody works on the jobs: this process, or workers that are alive and keep up. */
@Injectable()
export class WorkersHealth implements ServiceIndicator {
  readonly name = 'workers';

  constructor(
    private readonly config: AppConfig,
    private readonly processes: ProcessesRepository,
  ) {}

  get driver(): string {
    return this.apart ? 'rabbitmq' : 'in-process';
  }

  /** Where workers are processes of their own, the API answers most of what it is asked without them. */
  get required(): boolean {
    return !this.apart;
  }

  async check(): Promise<Record<string, IndicatorAnswer>> {
    return { workers: this.apart ? judged(await this.processes.workload()) : { status: 'up', responseTime: 0 } };
  }

  private get apart(): boolean {
    return this.config.rabbitmq.url !== undefined;
  }
}

function judged({ alive, queueLag, outboxLag }: Workload): IndicatorAnswer {
  const details = { alive, queue_lag_seconds: rounded(queueLag), outbox_lag_seconds: rounded(outboxLag) };
  if (alive === 0) return { status: 'down', message: 'No worker is alive.', details };
  const lag = Math.max(queueLag, outboxLag);
  if (lag > LAG_SECONDS) return { status: 'degraded', message: `The oldest job has been waiting for ${Math.round(lag)} s.`, details };
  return { status: 'up', details };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
