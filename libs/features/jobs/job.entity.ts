import { raw } from '@backing/postgres';
import type { ErrorCode } from '@kernel/errors';
import type { JobStatus } from '@kernel/jobs';

export interface JobProgress {
  done: number;
  total: number;
  unit: string;
  message: string;
}

export interface JobFailure {
  code: ErrorCode;
  message: string;
  retryable: boolean;
}

/** A row of `jobs`. */
export interface StoredJob {
  id: string;
  workspaceId: string;
  ownerId: string;
  apiKeyId: string | null;
  visibility: 'private' | 'workspace';
  kind: string;
  contractVersion: number;
  payload: unknown;
  subjectId: string | null;
  status: JobStatus;
  attempt: number;
  maxAttempts: number;
  epoch: number;
  lastSeq: number;
  retryAt: Date | null;
  progress: JobProgress | null;
  checkpoint: unknown;
  result: object | null;
  error: JobFailure | null;
  cancelRequestedAt: Date | null;
  retryOf: string | null;
  requestId: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

const COLUMNS: Record<keyof StoredJob, string> = {
  id: 'id',
  workspaceId: 'workspace_id',
  ownerId: 'owner_id',
  apiKeyId: 'api_key_id',
  visibility: 'visibility',
  kind: 'kind',
  contractVersion: 'contract_version',
  payload: 'payload',
  subjectId: 'subject_id',
  status: 'status',
  attempt: 'attempt',
  maxAttempts: 'max_attempts',
  epoch: 'epoch',
  lastSeq: 'last_seq',
  retryAt: 'retry_at',
  progress: 'progress',
  checkpoint: 'checkpoint',
  result: 'result',
  error: 'error',
  cancelRequestedAt: 'cancel_requested_at',
  retryOf: 'retry_of',
  requestId: 'request_id',
  createdAt: 'created_at',
  startedAt: 'started_at',
  finishedAt: 'finished_at',
};

/** The columns of a StoredJob under its own names, so that a row is one. The table (or CTE) is called `jobs` in the statement. */
export const JOB_COLUMNS = raw(
  Object.entries(COLUMNS)
    .map(([property, column]) => `jobs.${column} AS "${property}"`)
    .join(', '),
);
