// Holds the lock named by the first argument: says "held", and leaves it when its standard input closes.
import { withLock } from '../../scripts/toolchain/lock.mjs';

await withLock(process.argv[2], 'holding it for a test', async () => {
  process.stdout.write('held\n');
  await new Promise((done) => process.stdin.once('end', done).resume());
});
