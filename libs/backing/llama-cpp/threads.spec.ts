import { availableParallelism } from 'node:os';
import { defaultThreads, physicalCores } from './threads';

const processor = (socket: number, core: number): string =>
  `processor\t: 0\nphysical id\t: ${socket}\ncore id\t\t: ${core}\nflags\t\t: fpu`;

describe('threads', () => {
  it('counts a core with two threads once, and equal core numbers on two sockets twice', () => {
    expect(physicalCores([processor(0, 0), processor(0, 0), processor(0, 1), processor(1, 0)].join('\n\n'))).toBe(3);
  });

  it('takes half of the logical processors where nothing tells the cores', () => {
    expect(physicalCores('processor\t: 0\nBogoMIPS\t: 50.00')).toBe(Math.max(1, Math.floor(availableParallelism() / 2)));
  });

  it('leaves a core to everything else', () => {
    expect(defaultThreads()).toBeGreaterThanOrEqual(1);
    expect(defaultThreads()).toBeLessThanOrEqual(Math.max(1, availableParallelism() - 1));
  });
});
