import { eventsUrl, type QueuePosition, type StoredJob } from '@features/jobs';
import { ERROR_CODES, type ErrorCode } from '@kernel/errors';
import { JOB_STATUSES } from '@kernel/jobs';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';

export const listJobsQuery = pageQuery.extend({
  kind: z
    .string()
    .regex(/^[a-z][a-z0-9.-]{0,63}$/)
    .optional()
    .meta({ description: 'Only this kind, for example chat.answer.' }),
  status: z.enum(JOB_STATUSES).optional(),
});
export type ListJobsQuery = z.infer<typeof listJobsQuery>;

export const jobEventsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,9}$/, 'must be the id of an event')
    .optional()
    .meta({ description: 'The id of the last event that was seen; the header Last-Event-ID wins over it.' }),
});
export type JobEventsQuery = z.infer<typeof jobEventsQuery>;

export const jobSchema = z
  .object({
    id: z.uuid(),
    kind: z.string(),
    status: z.enum(JOB_STATUSES),
    attempt: z.int(),
    max_attempts: z.int(),
    progress: z.object({ done: z.number(), total: z.number(), unit: z.string(), message: z.string() }).nullable(),
    queue: z
      .object({ position: z.int(), eta_seconds: z.number().nullable() })
      .optional()
      .meta({ description: 'An estimate, while the job is queued or waits for a model, and is asked for by its id.' }),
    retry_at: z.iso.datetime().optional().meta({ description: 'When a job that failed for now is tried again.' }),
    result: z.looseObject({}).optional(),
    error: z.object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string(), retryable: z.boolean() }).optional(),
    cancel_requested_at: z.iso.datetime().optional(),
    retry_of: z.uuid().optional(),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    finished_at: z.iso.datetime().nullable(),
    request_id: z.string().nullable(),
    events_url: z.string(),
  })
  .meta({ id: 'Job' });

export const jobListSchema = listSchema('JobList', jobSchema);

/** The wire form of a job. */
export function jobView(job: StoredJob, queue?: QueuePosition): z.infer<typeof jobSchema> {
  return {
    id: job.id,
    kind: job.kind,
    status: job.status,
    attempt: job.attempt,
    max_attempts: job.maxAttempts,
    progress: job.progress,
    ...(queue === undefined ? {} : { queue: { position: queue.position, eta_seconds: queue.etaSeconds } }),
    ...(job.retryAt === null ? {} : { retry_at: job.retryAt.toISOString() }),
    ...(job.result === null ? {} : { result: { ...job.result } }),
    ...(job.error === null ? {} : { error: job.error }),
    ...(job.cancelRequestedAt === null ? {} : { cancel_requested_at: job.cancelRequestedAt.toISOString() }),
    ...(job.retryOf === null ? {} : { retry_of: job.retryOf }),
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
    request_id: job.requestId,
    events_url: eventsUrl(job.id),
  };
}
