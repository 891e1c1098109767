import type { JobContract } from '@kernel/jobs';

/** A provider by which a feature's module declares the contracts that it accepts: each must have a handler, or the boot stops. */
export class DeclaredJobs {
  readonly contracts: readonly Pick<JobContract<unknown>, 'kind' | 'version'>[];

  constructor(...contracts: Pick<JobContract<unknown>, 'kind' | 'version'>[]) {
    this.contracts = contracts;
  }
}
