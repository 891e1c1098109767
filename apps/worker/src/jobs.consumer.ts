import { Controller } from '@nestjs/common';
import { EventPattern, Payload, RpcException } from '@nestjs/microservices';
import { JobRunner } from '@features/jobs';
import { AppError } from '@kernel/errors';
import { JOB_PATTERN, type JobMessage } from '@kernel/jobs';

/** Takes job messages from RabbitMQ; answers when this process is done with the job, by which the message is acknowledged. */
@Controller()
export class JobsConsumer {
  constructor(private readonly runner: JobRunner) {}

  @EventPattern(JOB_PATTERN)
  async run(@Payload() message: JobMessage): Promise<void> {
    try {
      await this.runner.run(message);
    } catch (error) {
      // The transport decides what becomes of the message; Nest would log it as a fault of ours.
      throw error instanceof AppError ? new RpcException(error.message) : error;
    }
  }
}
