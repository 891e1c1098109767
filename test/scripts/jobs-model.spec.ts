import { join } from 'node:path';

interface Found {
  states: number;
  steps: number;
  violations: { says: string; path: string[] }[];
}
type Explore = (options: { jobs: number; crashes: number; bug?: string }) => Found;

describe('the model of jobs, outbox and leases', () => {
  let explore: Explore;
  beforeAll(async () => {
    ({ explore } = (await import(join(__dirname, '..', 'faults', 'model', 'explore.mjs'))) as { explore: Explore });
  });

  // Two jobs are explored by `npm run faults:model`.
  it('holds in every state of one job, two workers, a doubled message and two crashes', () => {
    const { states, steps, violations } = explore({ jobs: 1, crashes: 2 });
    expect(violations).toEqual([]);
    expect(states).toBe(11_252);
    expect(steps).toBeGreaterThan(states);
  });

  it('holds for two jobs without a crash', () => {
    expect(explore({ jobs: 2, crashes: 0 }).violations).toEqual([]);
  });

  it('shows what an acknowledgement before the commit loses', () => {
    const [found] = explore({ jobs: 1, crashes: 1, bug: 'ack before commit' }).violations;
    expect(found?.says).toBe('a job that was accepted can never end: it is lost');
    expect(found?.path.at(-1)).toMatch(/crashes|acknowledges/);
  });

  it('shows what a worker without a fence does twice', () => {
    const [found] = explore({ jobs: 1, crashes: 0, bug: 'no fencing' }).violations;
    expect(found?.says).toBe('an effect of job 0 is there twice');
    expect(found?.path).toContain('lease runs out (job 0)');
  });
});
