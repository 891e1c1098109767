import { ERROR_CODES } from '@kernel/errors';
import { z } from 'zod';

/** An error answer (RFC 9457, `application/problem+json`). */
export const problemSchema = z
  .object({
    type: z.string().meta({ description: '`/docs/errors/{code}`', example: '/docs/errors/not_found' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(ERROR_CODES),
    request_id: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    job_id: z.string().optional().meta({ description: 'The job that stands in the way, or whose events are gone.' }),
    job: z.looseObject({}).optional().meta({ description: 'The job whose events are gone, as `GET /api/v1/jobs/{id}` answers it.' }),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemSchema>;
