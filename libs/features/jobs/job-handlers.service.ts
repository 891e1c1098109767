import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { laneName, lanesOf, payloadSchema, type JobLane } from '@kernel/jobs';
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

  /** Every version of every kind that this process can run. */
  lanes(): JobLane[] {
    return [...this.byKind.values()].flatMap(({ contract }) => lanesOf(contract));
  }

  /** The same as `kind@version`. */
  known(): string[] {
    return this.lanes().map(laneName);
  }

  knows({ kind, version }: JobLane): boolean {
    return this.find(kind, version) !== undefined;
  }

  /** Throws `unavailable` when this process does not know the job's contract: another one may. */
  get({ kind, contractVersion }: Pick<StoredJob, 'kind' | 'contractVersion'>): JobHandler {
    const handler = this.find(kind, contractVersion);
    if (handler === undefined) throw new AppError('unavailable', `This process has no handler for ${kind} version ${contractVersion}.`);
    return handler;
  }

  /** The stored payload in the form of today's contract; undefined when it is not one of its own version: it was planted, and no handler sees it. */
  read(job: Pick<StoredJob, 'kind' | 'contractVersion' | 'payload'>): { payload: unknown } | undefined {
    const read = payloadSchema(this.get(job).contract, job.contractVersion)?.safeParse(job.payload);
    return read?.success === true ? { payload: read.data } : undefined;
  }

  private find(kind: string, version: number): JobHandler | undefined {
    const handler = this.byKind.get(kind);
    return handler !== undefined && payloadSchema(handler.contract, version) !== undefined ? handler : undefined;
  }

  private add(handler: JobHandler): void {
    const { kind } = handler.contract;
    if (this.byKind.has(kind)) throw new Error(`Two handlers for the job ${kind}.`);
    this.byKind.set(kind, handler);
  }
}
