import type { z } from 'zod';
import type { Scope } from '../identity';

export const JOB_STATUSES = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export const TERMINAL_STATUSES: ReadonlySet<JobStatus> = new Set(['succeeded', 'failed', 'cancelled']);

/** Names of the events in a job's log, as in the contract's table. */
export const JOB_EVENTS = [
  'accepted',
  'queued',
  'started',
  'progress',
  'citations',
  'reasoning',
  'delta',
  'tool_call',
  'tool_result',
  'approval',
  'reset',
  'done',
  'error',
  'cancelled',
] as const;
export type JobEventName = (typeof JOB_EVENTS)[number];
export const TERMINAL_EVENTS: ReadonlySet<JobEventName> = new Set(['done', 'error', 'cancelled']);

/** A kind of job: its payload's schema, its version, how often a worker may start it, and what its maker must be allowed while it runs. */
export interface JobContract<Payload> {
  /** `<feature>.<verb-noun>` */
  kind: string;
  version: number;
  maxAttempts: number;
  needs: Scope;
  payload: z.ZodType<Payload>;
}

export function defineJob<Payload>(
  kind: string,
  payload: z.ZodType<Payload>,
  options: { needs: Scope; version?: number; maxAttempts?: number },
): JobContract<Payload> {
  const { needs } = options;
  return Object.freeze({ kind, payload, needs, version: options.version ?? 1, maxAttempts: options.maxAttempts ?? 5 });
}
