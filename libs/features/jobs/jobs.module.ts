import { Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { DataDirectory } from '@backing/data-directory';
import { PrometheusModule } from '@backing/prometheus';
import { StandingModule } from '@features/standing';
import { JobTransport } from '@kernel/jobs';
import { DeadLettersRepository } from './dead-letters.repository';
import { DeadLetters } from './dead-letters.service';
import { DeadMessages } from './dead-messages.service';
import { JobAttempts } from './job-attempts.service';
import { JobHandlers } from './job-handlers.service';
import { JobHeartbeat } from './job-heartbeat.service';
import { JobLeaseRepository, LEASE_HOLDER } from './job-lease.repository';
import { JobMetrics } from './job-metrics.service';
import { JobLogRepository } from './job-log.repository';
import { JobNews } from './job-news.service';
import { JobOutboxRepository } from './job-outbox.repository';
import { JobReader } from './job-reader.service';
import { JobRetention } from './job-retention.service';
import { JobRunner } from './job-runner.service';
import { JobSettlement } from './job-settlement.service';
import { JobSignals } from './job-signals.service';
import { JobSweep } from './job-sweep.service';
import { JobTiming } from './job-timing.entity';
import { JobWarrant } from './job-warrant.service';
import { JobWork } from './job-work.service';
import { Jobs } from './jobs.service';
import { JobsRepository } from './jobs.repository';
import { LostMessages } from './lost-messages.service';
import { OutboxRelay } from './outbox-relay.service';

/** Jobs: accepted, dispatched, leased, logged and ended. Needs a `JobTransport`; handlers are found among all providers at boot. */
@Module({
  imports: [DiscoveryModule, PrometheusModule, StandingModule],
  providers: [
    { provide: JobTiming, useFactory: () => new JobTiming() },
    { provide: LEASE_HOLDER, inject: [DataDirectory], useFactory: (directory: DataDirectory) => directory.instanceId },
    DeadLetters,
    DeadLettersRepository,
    DeadMessages,
    JobAttempts,
    JobHandlers,
    JobHeartbeat,
    JobLeaseRepository,
    JobLogRepository,
    JobMetrics,
    JobNews,
    JobOutboxRepository,
    JobReader,
    JobRetention,
    JobRunner,
    JobSettlement,
    JobSignals,
    JobSweep,
    Jobs,
    JobsRepository,
    JobWarrant,
    JobWork,
    LostMessages,
    OutboxRelay,
  ],
  exports: [DeadLetters, JobHandlers, Jobs, JobReader, JobRunner],
})
export class JobsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly handlers: JobHandlers,
    private readonly work: JobWork,
    private readonly transport: JobTransport,
    private readonly deadMessages: DeadMessages,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.handlers.register(this.discovery.getProviders().map((wrapper): unknown => wrapper.instance));
    this.transport.know(this.handlers.lanes());
    this.transport.onDead((dead) => this.deadMessages.take(dead));
    await this.work.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }
}
