import { AppError } from '../errors';
import { backoff } from './backoff';
import { ServiceGuard } from './service-guard';

const down = (): Promise<never> => Promise.reject(new AppError('unavailable', 'Redis does not answer.'));

function guardOver(service: { answers: boolean }): { guard: ServiceGuard; pinged: Promise<void> } {
  let heard: () => void;
  const pinged = new Promise<void>((resolve) => (heard = resolve));
  const ping = async (): Promise<void> => {
    if (!service.answers) throw new Error('refused');
    heard();
  };
  return { guard: new ServiceGuard({ service: 'Redis', deadlineMs: 1_000, ping }), pinged };
}

describe('ServiceGuard', () => {
  it('opens after three outages, refuses at once with a time to come back, and is closed by a probe', async () => {
    const service = { answers: false };
    const { guard, pinged } = guardOver(service);
    for (let failure = 0; failure < 3; failure += 1) await expect(guard.call(down)).rejects.toThrow('does not answer');
    expect(guard.isOpen).toBe(true);
    const work = jest.fn(async () => 1);
    await expect(guard.call(work)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
    expect(work).not.toHaveBeenCalled();
    service.answers = true;
    await pinged;
    await new Promise(setImmediate);
    await expect(guard.call(work)).resolves.toBe(1);
    guard.close();
  });

  it('counts outages alone: what the service refuses is an answer', async () => {
    const { guard } = guardOver({ answers: false });
    for (let refusal = 0; refusal < 30; refusal += 1)
      await expect(guard.call(() => Promise.reject(new AppError('invalid', 'no')))).rejects.toThrow('no');
    expect(guard.isOpen).toBe(false);
    guard.close();
  });

  it('ends a call at its deadline, tells the work, and counts it', async () => {
    const { guard } = guardOver({ answers: false });
    const signals: AbortSignal[] = [];
    const hang = (signal: AbortSignal): Promise<never> => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    for (let call = 0; call < 3; call += 1) await expect(guard.call(hang, { milliseconds: 5 })).rejects.toMatchObject({ code: 'timeout' });
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    expect(guard.isOpen).toBe(true);
    guard.close();
  });

  it('does not count the time in which this process was held up', async () => {
    const { guard } = guardOver({ answers: true });
    const answer = guard.call(
      async () => {
        const until = performance.now() + 60;
        while (performance.now() < until);
        await new Promise((resolve) => setTimeout(resolve, 10));
        return 1;
      },
      { milliseconds: 50 },
    );
    await expect(answer).resolves.toBe(1);
    guard.close();
  });

  it('asks at once when there is reason to', async () => {
    const service = { answers: true };
    const { guard, pinged } = guardOver(service);
    jest.useFakeTimers();
    try {
      guard.trip(new Error('the connection broke'));
      expect(guard.isOpen).toBe(true);
      guard.look();
      await pinged;
      await jest.advanceTimersByTimeAsync(0);
      expect(guard.isOpen).toBe(false);
    } finally {
      jest.useRealTimers();
    }
    guard.close();
  });

  it('hands the wish of the caller on', async () => {
    const { guard } = guardOver({ answers: true });
    const aborter = new AbortController();
    const call = guard.call((signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))), {
      signal: aborter.signal,
    });
    aborter.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    guard.close();
  });
});

describe('backoff', () => {
  it('doubles up to its cap, jitters below it and never spins', () => {
    const times = { baseMs: 100, capMs: 2_000 };
    expect([0, 1, 2, 10].map((attempt) => backoff(attempt, times, () => 1))).toEqual([100, 200, 400, 2_000]);
    expect(backoff(10, times, () => 0)).toBe(200);
  });
});
