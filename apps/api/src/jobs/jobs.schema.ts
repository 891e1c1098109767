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
      .meta({ description: 'An estimate, while the job is queued and asked for by its id.' }),
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

export const listDeadLettersQuery = pageQuery.extend({ kind: listJobsQuery.shape.kind });
export type ListDeadLettersQuery = z.infer<typeof listDeadLettersQuery>;

export const deadLetterSchema = z
  .object({
    ...jobSchema.shape,
    workspace_id: z.uuid(),
    owner_id: z.uuid().meta({ description: 'Whose job it was, and in whose name it is redriven.' }),
  })
  .meta({ id: 'DeadLetter' });
export const deadLetterListSchema = listSchema('DeadLetterList', deadLetterSchema);

export const redriveBody = z
  .strictObject({
    ids: z.array(z.uuid()).min(1).max(100).optional().meta({ description: 'These dead letters.' }),
    all: z.literal(true).optional().meta({ description: 'The oldest hundred; `has_more` says whether any is left.' }),
    kind: listJobsQuery.shape.kind.meta({ description: 'With `all`: only this kind.' }),
    after: z.uuid().optional().meta({ description: 'With `all`: only dead letters after this one.' }),
  })
  .refine(({ ids, all }) => (ids === undefined) !== (all === undefined), { path: ['ids'], message: 'either ids or all must be given' });
export type RedriveBody = z.infer<typeof redriveBody>;

export const redriveSchema = z
  .object({
    data: z.array(
      z.object({
        id: z.uuid().meta({ description: 'The dead letter.' }),
        job_id: z.uuid().nullable().meta({ description: 'The new job.' }),
        error: z.object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string() }).nullable(),
      }),
    ),
    has_more: z.boolean(),
  })
  .meta({ id: 'Redrive' });

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
