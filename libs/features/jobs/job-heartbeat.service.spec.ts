import { JobHeartbeat } from './job-heartbeat.service';
import type { JobLeaseRepository } from './job-lease.repository';
import { JobTiming } from './job-timing.entity';
import { LeaseLost } from './lease-lost';

function bench(extend: () => Promise<boolean>) {
  const beats: number[] = [];
  const leases = {
    extend: () => {
      beats.push(performance.now());
      return extend();
    },
  } as unknown as JobLeaseRepository;
  const controller = new AbortController();
  const stop = new JobHeartbeat(leases, new JobTiming()).start({ id: 'x', epoch: 1 }, controller);
  return { beats, controller, stop };
}

describe('JobHeartbeat', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('extends the lease every 5 s until it is stopped', async () => {
    const { beats, controller, stop } = bench(async () => true);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(beats).toHaveLength(12);
    stop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(beats).toHaveLength(12);
    expect(controller.signal.aborted).toBe(false);
  });

  it('aborts when the lease is gone', async () => {
    const { controller, stop } = bench(async () => false);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(controller.signal.reason).toBeInstanceOf(LeaseLost);
    stop();
  });

  it.each([
    ['fails', () => Promise.reject(new Error('away'))],
    ['hangs', () => new Promise<boolean>(() => undefined)],
  ])('aborts when the database %s for longer than a lease, not before', async (_, extend) => {
    const { controller, stop } = bench(extend);
    await jest.advanceTimersByTimeAsync(14_999);
    expect(controller.signal.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(controller.signal.reason).toBeInstanceOf(LeaseLost);
    stop();
  });
});
