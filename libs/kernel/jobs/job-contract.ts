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
  /** Payloads of earlier versions that may still be in the queue, by version: what they were, and (by a transform) what they are in today's form. */
  earlier: Readonly<Record<number, z.ZodType<Payload>>>;
}

/** The jobs of one kind in one version: who knows it takes them, who does not leaves them to others. */
export interface JobLane {
  kind: string;
  version: number;
}

/** `kind@version` */
export function laneName({ kind, version }: JobLane): string {
  return `${kind}@${version}`;
}

/** Every lane whose jobs a process with this contract can run, the present version first. */
export function lanesOf({ kind, version, earlier }: Pick<JobContract<unknown>, 'kind' | 'version' | 'earlier'>): JobLane[] {
  return [version, ...Object.keys(earlier).map(Number)].map((known) => ({ kind, version: known }));
}

/** How a payload of this version is read; undefined for a version that the contract does not know. */
export function payloadSchema<Payload>(contract: JobContract<Payload>, version: number): z.ZodType<Payload> | undefined {
  return version === contract.version ? contract.payload : contract.earlier[version];
}

export function defineJob<Payload>(
  kind: string,
  payload: z.ZodType<Payload>,
  options: { needs: Scope; version?: number; maxAttempts?: number; earlier?: Record<number, z.ZodType<Payload>> },
): JobContract<Payload> {
  const { needs, version = 1, maxAttempts = 5, earlier = {} } = options;
  return Object.freeze({ kind, payload, needs, version, maxAttempts, earlier: Object.freeze({ ...earlier }) });
}
