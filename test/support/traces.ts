import { appendFileSync, createWriteStream, existsSync, mkdirSync, readFileSync, readdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { PrometheusMetrics } from '@backing/prometheus';
import { PostgresClient, sql } from '@backing/postgres';
import { v7 } from 'uuid';

/** Characters of a text worth looking for: shorter ones stand anywhere, longer ones are no secret that anybody is let in with. */
const SHORTEST = 8;
const LONGEST = 1_024;

/**
 * Everything that the servers of the suites write where others may read it, for the search for secrets after all suites (scripts/secrets-scan.mjs):
 * log lines at level trace, error answers, events, results and errors of jobs, the audit log, metrics. Kept only when TEST_TRACES names a folder.
 */
export class Traces {
  private readonly name = v7();
  private readonly lines: WriteStream;

  private constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.lines = createWriteStream(join(folder, `${this.name}.log`), { flags: 'a' });
  }

  static open(): Traces | undefined {
    const folder = process.env.TEST_TRACES;
    return folder === undefined || folder === '' ? undefined : new Traces(folder);
  }

  /** Where the log goes. */
  get log(): { write(line: string): void } {
    return { write: (line) => void this.lines.write(line) };
  }

  /** An error answer; what the test itself sent in the query is not part of it. */
  answer(path: string, status: number, text: string): void {
    if (status >= 400) this.lines.write(`answer ${path.split('?')[0]} ${status} ${text}\n`);
  }

  /** Names texts that nothing may ever hold beside what holds them by purpose. */
  secret(...texts: (string | undefined)[]): void {
    const lines = texts
      .filter((text) => text !== undefined && text.length >= SHORTEST && text.length <= LONGEST)
      .map((text) => `${JSON.stringify(text)}\n`);
    appendFileSync(join(this.folder, 'secrets.ndjson'), lines.join(''));
  }

  /** The secrets that a data directory holds: none when the settings brought them. */
  secretsOf(directory: string): void {
    const folder = join(directory, 'secrets');
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) this.secret(readFileSync(join(folder, name), 'utf8').trim());
  }

  /** What an application leaves behind, read while it can still be asked. */
  async collect(app: NestFastifyApplication): Promise<void> {
    const database = app.get(PostgresClient, { strict: false });
    for (const statement of [
      sql`SELECT * FROM job_events`,
      sql`SELECT id, error, result, progress FROM jobs`,
      sql`SELECT * FROM audit_entries`,
    ]) {
      for (const row of await database.query(statement)) this.lines.write(`${JSON.stringify(row)}\n`);
    }
    this.lines.write(await app.get(PrometheusMetrics, { strict: false }).text());
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.lines.end(resolve));
  }
}
