import fc from 'fast-check';
import { FairShare } from './fair-share';

describe('FairShare', () => {
  it('serves one after the other of those who wait, and each in the order of arrival', () => {
    const share = new FairShare<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) share.add(item.charAt(0), item);
    expect(share.order()).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
    expect(Array.from({ length: 7 }, () => share.next())).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined]);
  });

  it('lets a newcomer go before who has just been served', () => {
    const share = new FairShare<string>();
    share.add('a', 'a1');
    share.next();
    share.add('a', 'a2');
    share.add('b', 'b1');
    expect(share.next()).toBe('b1');
  });

  it('forgets who leaves', () => {
    const share = new FairShare<string>();
    share.add('a', 'a1');
    expect([share.remove('a', 'a1'), share.remove('a', 'a1'), share.remove('b', 'a1')]).toEqual([true, false, false]);
    expect([share.size, share.of('a'), share.next()]).toEqual([0, 0, undefined]);
  });

  it('never gives one of two that wait two more starts than the other, and serves in the order that it tells', () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('add' as const), owner: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ does: fc.constant('next' as const) }),
      fc.record({ does: fc.constant('remove' as const), at: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const share = new FairShare<string>();
        const waiting: string[] = [];
        /** By how many starts the first of a pair is ahead since both wait. */
        const ahead = new Map<string, number>();
        const owners = (): Set<string> => new Set(waiting.map((item) => item.charAt(0)));
        for (const [number, now] of steps.entries()) {
          if (now.does === 'add') {
            waiting.push(`${now.owner}${number}`);
            share.add(now.owner, `${now.owner}${number}`);
          } else if (now.does === 'remove') {
            const [gone] = waiting.splice(now.at, 1);
            if (gone !== undefined) expect(share.remove(gone.charAt(0), gone)).toBe(true);
          } else {
            const competing = owners();
            const order = share.order();
            const item = share.next();
            expect(item).toBe(order[0]);
            if (item === undefined) continue;
            waiting.splice(waiting.indexOf(item), 1);
            const served = item.charAt(0);
            for (const other of competing) {
              if (other === served) continue;
              ahead.set(served + other, (ahead.get(served + other) ?? 0) + 1);
              ahead.set(other + served, (ahead.get(other + served) ?? 0) - 1);
              expect(ahead.get(served + other)).toBeLessThanOrEqual(1);
            }
          }
          const still = owners();
          for (const pair of ahead.keys()) if (![...pair].every((owner) => still.has(owner))) ahead.delete(pair);
          expect(share.size).toBe(waiting.length);
        }
        expect([...share.order()].sort()).toEqual([...waiting].sort());
      }),
      { numRuns: 2_000 },
    );
  });
});
