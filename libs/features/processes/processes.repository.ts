import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';
import type { ProcessRole } from '@kernel/config';

export interface PresentProcess {
  /** Of its data directory, which one process locks: the same after a restart. */
  id: string;
  role: ProcessRole;
  host: string;
  pid: number;
  version: string;
  /** Contracts as `kind@version` that it can run. */
  kinds: string[];
  /** For how long it has been running. */
  seconds: number;
}

/** How the workers keep up; ages in seconds, 0 when nothing waits. */
export interface Workload {
  alive: number;
  queueLag: number;
  outboxLag: number;
}

/** A process counts as alive for so long after its last sign: four of them may get lost. */
const ALIVE_SECONDS = 12;
/** What was silent for longer is forgotten; one that was only paused enters itself again. */
const FORGOTTEN_SECONDS = 60;

/** The processes that work on this database, alive by its own clock. */
@Injectable()
export class ProcessesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Says that a process is there, forgets dead ones, and answers how many others of its role are alive. */
  async beat({ id, role, host, pid, version, kinds, seconds }: PresentProcess): Promise<number> {
    const rows = await this.postgres.query<{ others: number }>(
      sql`WITH beat AS (
            INSERT INTO processes (id, role, host, pid, version, kinds, started_at)
            VALUES (${id}, ${role}, ${host}, ${pid}, ${version}, ${kinds}::text[], now() - ${seconds} * interval '1 second')
            ON CONFLICT (id) DO UPDATE SET role = excluded.role, host = excluded.host, pid = excluded.pid, version = excluded.version,
              kinds = excluded.kinds, started_at = excluded.started_at, seen_at = now()
          ), swept AS (
            DELETE FROM processes WHERE id <> ${id} AND seen_at < now() - ${FORGOTTEN_SECONDS} * interval '1 second'
          )
          SELECT count(*)::int AS others FROM processes
          WHERE role = ${role} AND id <> ${id} AND seen_at > now() - ${ALIVE_SECONDS} * interval '1 second'`,
      { name: 'processes.beat', repeatable: true },
    );
    return rows[0]?.others ?? 0;
  }

  async remove(id: string): Promise<void> {
    await this.postgres.query(sql`DELETE FROM processes WHERE id = ${id}`, { repeatable: true });
  }

  /** Workers that are alive, and for how long the oldest job that is due, and the oldest message to them, have been waiting. */
  async workload(): Promise<Workload> {
    const rows = await this.postgres.query<Workload>(
      sql`SELECT (SELECT count(*)::int FROM processes WHERE role = 'worker' AND seen_at > now() - ${ALIVE_SECONDS} * interval '1 second') AS alive,
            (SELECT coalesce(extract(epoch FROM now() - min(coalesce(retry_at, dispatched_at))), 0)::float8 FROM jobs
              WHERE status = 'queued' AND (retry_at IS NULL OR retry_at <= now())) AS "queueLag",
            (SELECT coalesce(extract(epoch FROM now() - min(greatest(o.created_at, j.retry_at))), 0)::float8
              FROM outbox o JOIN jobs j ON j.id = o.job_id WHERE j.retry_at IS NULL OR j.retry_at <= now()) AS "outboxLag"`,
      { name: 'processes.workload' },
    );
    return rows[0] ?? { alive: 0, queueLag: 0, outboxLag: 0 };
  }
}
