import { sql, type Sql } from '@backing/postgres';
import type { StoredJob } from './job.entity';

/** The CTE `jobs_seen`, to stand after WITH in the caller's own statement: who may see the jobs of a subject changes together with the subject. */
export function subjectVisibility(kind: string, subject: Sql, visibility: StoredJob['visibility']): Sql {
  return sql`jobs_seen AS (UPDATE jobs SET visibility = ${visibility} WHERE subject_id = ${subject} AND kind = ${kind} AND visibility <> ${visibility})`;
}
