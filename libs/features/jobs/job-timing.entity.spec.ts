import * as fc from 'fast-check';
import { JobTiming } from './job-timing.entity';

describe('Backoff', () => {
  it('lies between the base and the doubled, capped ceiling', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const wait = new JobTiming().backoff(attempt, () => random);
        expect(wait).toBeGreaterThanOrEqual(1_000);
        expect(wait).toBeLessThanOrEqual(Math.max(1_000, Math.min(30_000, 1_000 * 2 ** (attempt - 1))));
      }),
      { numRuns: 1_000 },
    );
  });

  it('uses the whole range', () => {
    const timing = new JobTiming();
    expect(timing.backoff(4, () => 0.999999)).toBe(8_000);
    expect(timing.backoff(4, () => 0)).toBe(1_000);
    expect(timing.backoff(50, () => 0.999999)).toBe(30_000);
  });
});
