import { PostgresClient, sql } from '@backing/postgres';

/** Milliseconds for which one look into the table serves everybody who asks. */
const FRESH_MS = 1_000;

/** The models that a job is bringing here now: those of this process, and, where workers of their own run jobs, theirs. */
export class PullingModels {
  private readonly own = new Set<string>();
  private look?: { at: number; models: Promise<ReadonlySet<string>> };

  constructor(
    private readonly postgres: PostgresClient,
    /** Workers of their own run jobs. */
    private readonly elsewhere: boolean,
  ) {}

  add(model: string): void {
    this.own.add(model);
  }

  delete(model: string): void {
    this.own.delete(model);
  }

  async now(): Promise<ReadonlySet<string>> {
    if (!this.elsewhere) return this.own;
    const now = performance.now();
    if (this.look === undefined || now - this.look.at > FRESH_MS) this.look = { at: now, models: this.running() };
    return this.look.models;
  }

  private async running(): Promise<ReadonlySet<string>> {
    const rows = await this.postgres.query<{ model: string }>(
      sql`SELECT p.model FROM jobs j JOIN model_pulls p ON p.job_id = j.id WHERE j.kind = 'models.pull' AND j.status = 'running'`,
    );
    return new Set(rows.map(({ model }) => model));
  }
}
