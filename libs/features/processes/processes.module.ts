import { Module } from '@nestjs/common';
import { PostgresModule } from '@backing/postgres';
import { JobsModule } from '@features/jobs';
import { Heartbeat } from './heartbeat.service';
import { ProcessesRepository } from './processes.repository';
import { WorkersHealth } from './workers.health';

/** Which processes work on this database, and whether jobs are being worked on. Every process that does imports it. */
@Module({
  imports: [JobsModule, PostgresModule],
  providers: [Heartbeat, ProcessesRepository, WorkersHealth],
  exports: [Heartbeat, ProcessesRepository, WorkersHealth],
})
export class ProcessesModule {}
