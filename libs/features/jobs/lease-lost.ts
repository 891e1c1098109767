import { AppError } from '@kernel/errors';

/** Somebody else has the job now, or it has ended: this attempt may write nothing more. */
export class LeaseLost extends AppError {
  constructor() {
    super('conflict', 'The lease of the job is lost.');
  }
}
