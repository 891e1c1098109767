/**
 * Milliseconds before try number `attempt` (from 0): capped exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015), never under a tenth of the ceiling, so that nobody spins.
 */
export function backoff(attempt: number, { baseMs, capMs }: { baseMs: number; capMs: number }, random: () => number = Math.random): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(ceiling / 10, random() * ceiling);
}
