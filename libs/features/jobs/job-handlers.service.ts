import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import type { StoredJob } from './job.entity';
import { JobHandler } from './job.handler';
import { DeclaredJobs } from './declared-jobs.entity';

/** The handlers of this process by kind. Two for one kind, or a declared contract without one, stop the boot. */
@Injectable()
export class JobHandlers {
  private readonly byKind = new Map<string, JobHandler>();

  /** Takes the handlers and declarations among the application's providers. */
  register(providers: Iterable<unknown>): void {
    const declared: DeclaredJobs[] = [];
    for (const provider of new Set(providers)) {
      if (provider instanceof JobHandler) this.add(provider);
      if (provider instanceof DeclaredJobs) declared.push(provider);
    }
    for (const contract of declared.flatMap((d) => d.contracts)) {
      if (this.byKind.get(contract.kind)?.contract.version !== contract.version) {
        throw new Error(`No handler for the job ${contract.kind} version ${contract.version}.`);
      }
    }
  }

  kinds(): string[] {
    return [...this.byKind.keys()];
  }

  /** `kind@version` of every contract that this process can run. */
  known(): string[] {
    return [...this.byKind.values()].map(({ contract }) => `${contract.kind}@${contract.version}`);
  }

  /** Throws `unavailable` when this process does not know the job's contract: another one may. */
  get(job: Pick<StoredJob, 'kind' | 'contractVersion'>): JobHandler {
    const handler = this.byKind.get(job.kind);
    if (handler === undefined || handler.contract.version !== job.contractVersion) {
      throw new AppError('unavailable', `This process has no handler for ${job.kind} version ${job.contractVersion}.`);
    }
    return handler;
  }

  /** Whether the stored payload is one of its contract: what is not was planted, and no handler sees it. */
  accepts(job: Pick<StoredJob, 'kind' | 'contractVersion' | 'payload'>): boolean {
    return this.get(job).contract.payload.safeParse(job.payload).success;
  }

  private add(handler: JobHandler): void {
    const { kind } = handler.contract;
    if (this.byKind.has(kind)) throw new Error(`Two handlers for the job ${kind}.`);
    this.byKind.set(kind, handler);
  }
}
