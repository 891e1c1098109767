import { AppError } from '@kernel/errors';
import type { Agent } from './agent.entity';

/** `versions` are those that the caller accepts; undefined: any. Errors: `precondition_failed`. */
export function assertVersion(agent: Agent, versions: number[] | undefined): void {
  if (versions !== undefined && !versions.includes(agent.version)) throw changedMeanwhile();
}

export function changedMeanwhile(): AppError {
  return new AppError('precondition_failed', 'The agent has changed since it was read.');
}
