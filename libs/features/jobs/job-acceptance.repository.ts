import { v7 } from 'uuid';
import { sql, type Sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { JobContract } from '@kernel/jobs';

export interface AcceptanceOptions {
  workspaceId: string;
  ownerId: string;
  apiKeyId?: string | null;
  /** What the job works on: `Jobs.cancelSubject` finds it by this. */
  subjectId?: string;
  requestId?: string | null;
  visibility?: 'private' | 'workspace';
  retryOf?: string;
  /** More members for the data of the event `accepted`. */
  accepted?: object;
}

export interface Acceptance {
  jobId: string;
  /** `job`, `job_accepted` and `job_outbox`, to stand after WITH in the caller's own statement. */
  ctes: Sql;
}

export const eventsUrl = (jobId: string): string => `/api/v1/jobs/${jobId}/events`;

/** The CTEs of one accepted job: its row, its event `accepted` (seq 1) and its outbox row. Throws `invalid` when the payload breaks its contract. */
export function jobAcceptance<P>(contract: JobContract<P>, payload: P, options: AcceptanceOptions): Acceptance {
  const checked = contract.payload.safeParse(payload);
  if (!checked.success) throw new AppError('invalid', `The payload of ${contract.kind} is not valid: ${checked.error.issues[0]?.message}.`);
  const jobId = v7();
  const accepted = { job_id: jobId, events_url: eventsUrl(jobId), ...options.accepted };
  const ctes = sql`job AS (
      INSERT INTO jobs (id, workspace_id, owner_id, api_key_id, visibility, kind, contract_version, payload, subject_id, max_attempts, last_seq, retry_of, request_id)
      VALUES (${jobId}::uuid, ${options.workspaceId}::uuid, ${options.ownerId}::uuid, ${options.apiKeyId ?? null}::uuid,
        ${options.visibility ?? 'private'}, ${contract.kind}, ${contract.version}, ${JSON.stringify(checked.data)}::jsonb,
        ${options.subjectId ?? null}::uuid, ${contract.maxAttempts}, 1, ${options.retryOf ?? null}::uuid, ${options.requestId ?? null})
      RETURNING id, kind, contract_version
    ), job_accepted AS (
      INSERT INTO job_events (job_id, seq, event, data) SELECT id, 1, 'accepted', ${JSON.stringify(accepted)}::jsonb FROM job
    ), job_outbox AS (
      INSERT INTO outbox (id, job_id, kind, contract_version) SELECT ${v7()}::uuid, id, kind, contract_version FROM job
    )`;
  return { jobId, ctes };
}
