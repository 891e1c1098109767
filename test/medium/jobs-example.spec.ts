import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from '@backing/postgres';
import { describeDatabases } from '../support/databases';
import { JobsBench } from '../support/jobs';
import { AddUpHandler } from '../fixtures/adding-a-job/add-up.handler';
import { ReportsModule } from '../fixtures/adding-a-job/reports.module';

const ROOT = join(__dirname, '..', '..');
const FILES = ['reports.jobs.ts', 'add-up.handler.ts', 'reports.module.ts'];

describe('The example of a job in the README', () => {
  it('is the code that is run here, word for word', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const section = /^## Adding a job$([\s\S]*?)^## /m.exec(readme)?.[1] ?? '';
    const shown = [...section.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
    expect(shown).toEqual(FILES.map((file) => readFileSync(join(ROOT, 'test', 'fixtures', 'adding-a-job', file), 'utf8')));
  });
});

describeDatabases('The job of that example', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  it('is accepted, done step by step, and goes on from its checkpoint', async () => {
    const process = await bench.process({ imports: [ReportsModule] });
    const handler = process.get(AddUpHandler);
    const numbers = Array.from({ length: 250 }, (_, n) => n);
    const { jobId } = await handler.accept({ numbers }, bench.principal, null);
    expect(await bench.ended(process, jobId)).toMatchObject({
      status: 'succeeded',
      result: { sum: 31_125 },
      progress: { done: 250, total: 250 },
    });
    expect((await bench.names(jobId)).filter((name) => name === 'progress')).toHaveLength(3);

    const paused = await bench.process({ imports: [ReportsModule], idle: true });
    await process.stop();
    const later = await paused.get(AddUpHandler).accept({ numbers }, bench.principal, null);
    await bench.database.client.query(
      sql`UPDATE jobs SET checkpoint = '{"done":200,"sum":1000000}'::jsonb WHERE id = ${later.jobId}::uuid`,
    );
    const again = await bench.process({ imports: [ReportsModule] });
    expect(await bench.ended(again, later.jobId)).toMatchObject({ status: 'succeeded', result: { sum: 1_011_225 } });
  });
});
