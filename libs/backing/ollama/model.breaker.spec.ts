import { AppError } from '@kernel/errors';
import { ModelBreaker } from './model.breaker';

const crashed = new AppError('unavailable', 'Ollama failed while it worked with odd:1b.');

describe('ModelBreaker', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());
  const fail = (breaker: ModelBreaker, times: number, error: AppError = crashed): void => {
    for (let time = 0; time < times; time++) {
      breaker.begin();
      breaker.end(error);
    }
  };

  it('opens after three failures in a row, lets one call try after a pause, and closes when that succeeds', () => {
    const breaker = new ModelBreaker();
    fail(breaker, 2);
    expect(breaker.isOpen).toBe(false);
    fail(breaker, 1);
    expect([breaker.isOpen, breaker.retryAfterSeconds]).toEqual([true, 1]);
    jest.advanceTimersByTime(1_001);
    expect(breaker.isOpen).toBe(false);
    breaker.begin();
    expect(breaker.isOpen).toBe(true);
    breaker.end();
    expect(breaker.isOpen).toBe(false);
    fail(breaker, 2);
    expect(breaker.isOpen).toBe(false);
  });

  it('waits twice as long after each try that fails, up to 30 seconds', () => {
    const breaker = new ModelBreaker();
    fail(breaker, 3);
    const pauses = Array.from({ length: 7 }, () => {
      const pause = breaker.retryAfterSeconds;
      jest.advanceTimersByTime(pause * 1_000);
      fail(breaker, 1);
      return pause;
    });
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  it.each([
    ['cancelled', new AppError('cancelled', 'gone')],
    ['busy', new AppError('unavailable', 'busy', { retryAfterSeconds: 2 })],
    ['a missing model', new AppError('unavailable', 'pull it', { retryable: false })],
    ['a bad request', new AppError('invalid', 'no tools')],
  ])('%s says nothing about the server', (_, error) => {
    const breaker = new ModelBreaker();
    fail(breaker, 5, error);
    expect(breaker.isOpen).toBe(false);
    fail(breaker, 3);
    jest.advanceTimersByTime(1_001);
    // A try without a verdict leaves the place to the next.
    breaker.begin();
    breaker.end(error);
    expect(breaker.isOpen).toBe(false);
    fail(breaker, 1);
    expect(breaker.retryAfterSeconds).toBe(2);
  });

  it('a timeout is a failure', () => {
    const breaker = new ModelBreaker();
    fail(breaker, 3, new AppError('timeout', 'The first token took longer than 120 s.'));
    expect(breaker.isOpen).toBe(true);
  });
});
