import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { JobRunner } from '@features/jobs';
import { JOB_PATTERN, type JobMessage } from '@kernel/jobs';

/** Takes job messages from whatever transport is bound; resolves when this process is done with the job. */
@Controller()
export class JobsConsumer {
  constructor(private readonly runner: JobRunner) {}

  @EventPattern(JOB_PATTERN)
  async run(@Payload() message: JobMessage): Promise<void> {
    await this.runner.run(message.job_id);
  }
}
