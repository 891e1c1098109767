import type { Heartbeat } from '@features/processes';
import type { IndicatorAnswer, ServiceIndicator } from '@kernel/health';
import { Health, overall } from './health.service';
import { ServiceIndicators } from './service-indicators';
import type { ServiceReport } from './service-report';

class Database implements ServiceIndicator {
  readonly name = 'postgres';
  readonly driver = 'postgres';
  readonly required = true;
  answer: IndicatorAnswer = { status: 'up', responseTime: 3 };
  checks = 0;
  check = async () => {
    this.checks += 1;
    return { postgres: this.answer };
  };
}

function healthOver(...indicators: ServiceIndicator[]): Health {
  return new Health(new ServiceIndicators(indicators), { reasons: [] } as unknown as Heartbeat);
}

function report(status: ServiceReport['status'], required: boolean): ServiceReport {
  return { name: 'x', status, required, driver: 'x', latencyMs: 1, checkedAt: null, since: null };
}

describe('Health', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('says when a check ran and since when a service has its state', async () => {
    const database = new Database();
    const health = healthOver(database);
    const first = await health.service('postgres');
    expect(first).toMatchObject({ status: 'up', driver: 'postgres', latencyMs: 3, required: true });
    jest.advanceTimersByTime(1_900);
    expect(await health.service('postgres')).toEqual(first);
    jest.advanceTimersByTime(200);
    const later = await health.service('postgres');
    expect([later.since, later.checkedAt]).toEqual([first.since, new Date()]);
    database.answer = { status: 'down', responseTime: 1_000, message: 'no route to postgres://app:s3cret@db/app' };
    jest.advanceTimersByTime(2_000);
    const down = await health.service('postgres');
    expect(down).toMatchObject({ status: 'down', since: new Date(), error: 'no route to postgres://***@db/app' });
    expect((await health.summary()).status).toBe('unavailable');
  });

  it('notices a change although nobody asks', async () => {
    const database = new Database();
    const health = healthOver(database);
    health.onApplicationBootstrap();
    await health.details();
    database.answer = { status: 'down' };
    await jest.advanceTimersByTimeAsync(5_000);
    const noticed = new Date();
    await jest.advanceTimersByTimeAsync(60_000);
    expect((await health.service('postgres')).since).toEqual(noticed);
    health.onApplicationShutdown();
    const { checks } = database;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(database.checks).toBe(checks);
  });

  it('checks once for a thousand who ask at the same time', async () => {
    const database = new Database();
    const health = healthOver(database);
    await Promise.all(Array.from({ length: 1_000 }, () => health.details()));
    expect(database.checks).toBe(1);
  });

  it('does not wait for a check that hangs, and asks the others meanwhile', async () => {
    const hanging: ServiceIndicator = { name: 'redis', driver: 'redis', required: false, check: () => new Promise(() => undefined) };
    const asked = healthOver(hanging, new Database()).details();
    await jest.advanceTimersByTimeAsync(1_100);
    const { services } = await asked;
    expect(services.find(({ name }) => name === 'redis')).toMatchObject({ status: 'down', error: 'The check did not end within 1 s.' });
    expect(services.find(({ name }) => name === 'postgres')).toMatchObject({ status: 'up' });
  });

  it('turns what a check throws into a state', async () => {
    const broken: ServiceIndicator = {
      name: 'redis',
      driver: 'redis',
      required: false,
      check: () => Promise.reject(new Error('password=s3cret')),
    };
    expect(await healthOver(broken).service('redis')).toMatchObject({ status: 'down', error: 'password=***' });
  });

  it('is degraded for a reason although every service is up', async () => {
    const reasons = ['limits per process'];
    const health = new Health(new ServiceIndicators([new Database()]), { reasons } as unknown as Heartbeat);
    expect(await health.summary()).toMatchObject({ status: 'degraded', reasons });
  });

  it('knows no service of another name', async () => {
    await expect(healthOver().service('mysql')).rejects.toMatchObject({ code: 'not_found' });
    expect(await healthOver().service('redis')).toMatchObject({ status: 'disabled', driver: null });
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
