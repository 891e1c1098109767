import fc from 'fast-check';
import { LEAST_STEP, MOST_STEP, ReadingPace } from './reading.pace';

/** The pace after some steps of a machine that needs so many milliseconds for a token. */
function paceOf(perToken: number, steps: number): ReadingPace {
  const pace = new ReadingPace();
  for (let n = 0; n < steps; n += 1) pace.took(pace.step, pace.step * perToken);
  return pace;
}

describe('ReadingPace', () => {
  it('begins carefully and doubles while a step has time to spare', () => {
    expect([0, 1, 2, 3, 4].map((steps) => paceOf(0.5, steps).step)).toEqual([8, 16, 32, 64, 64]);
  });

  it.each([
    [50, 8],
    [7, 8],
    [6, 16],
    [3, 32],
    [1, 64],
  ])('settles, at %d ms for a token, on %d tokens', (perToken, tokens) => {
    expect(paceOf(perToken, 10).step).toBe(tokens);
  });

  it('slows down at once', () => {
    const pace = paceOf(0.1, 5);
    pace.took(64, 640);
    expect(pace.step).toBe(8);
  });

  it('stays a whole multiple within its bounds, and within the time unless that is too short for the least', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 64 }), fc.double({ min: 0, max: 1e5, noNaN: true })), { minLength: 1 }),
        (steps) => {
          const pace = new ReadingPace();
          for (const [tokens, milliseconds] of steps) pace.took(tokens, milliseconds);
          const [tokens, milliseconds] = steps.at(-1)!;
          expect(pace.step % LEAST_STEP).toBe(0);
          expect(pace.step).toBeGreaterThanOrEqual(LEAST_STEP);
          expect(pace.step).toBeLessThanOrEqual(MOST_STEP);
          expect(pace.step === LEAST_STEP || (pace.step * milliseconds) / tokens <= 100.001).toBe(true);
        },
      ),
    );
  });
});
