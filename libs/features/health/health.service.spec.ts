import type { OllamaHealth } from '@backing/ollama';
import type { PostgresHealth } from '@backing/postgres';
import { Health, overall } from './health.service';
import type { ServiceReport } from './service-report';

class Database {
  readonly name = 'postgres';
  readonly driver = 'embedded';
  readonly required = true;
  answer: { status: string; responseTime?: number; message?: string } = { status: 'up', responseTime: 3 };
  check = async () => ({ postgres: this.answer });
}

const NO_OLLAMA = { name: 'ollama', driver: 'ollama', required: false, enabled: false } as unknown as OllamaHealth;

function report(status: ServiceReport['status'], required: boolean): ServiceReport {
  return { name: 'x', status, required, driver: 'x', latencyMs: 1, checkedAt: null, since: null };
}

describe('Health', () => {
  it('says since when a service has its state', async () => {
    const database = new Database();
    const health = new Health(database as unknown as PostgresHealth, NO_OLLAMA);
    const first = await health.service('postgres');
    expect(first).toMatchObject({ status: 'up', driver: 'embedded', latencyMs: 3, required: true });
    expect((await health.service('postgres')).since).toBe(first.since);
    database.answer = { status: 'down', responseTime: 1000, message: 'timeout of 1000ms exceeded' };
    const down = await health.service('postgres');
    expect(down).toMatchObject({ status: 'down', error: 'timeout of 1000ms exceeded' });
    expect(down.since).not.toBe(first.since);
    expect((await health.summary()).status).toBe('unavailable');
  });

  it('knows no service of another name', async () => {
    await expect(new Health(new Database() as unknown as PostgresHealth, NO_OLLAMA).service('mysql')).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

it.each([
  ['ok', [report('up', true), report('disabled', false)]],
  ['degraded', [report('up', true), report('down', false)]],
  ['degraded', [report('degraded', true), report('up', false)]],
  ['unavailable', [report('down', true), report('up', false)]],
] as const)('the whole is %s', (status, services) => {
  expect(overall([...services])).toBe(status);
});
