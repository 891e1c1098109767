// node scripts/with-toolchain.mjs <node|install|build> [tool or script] [arguments]: makes that much ready, then runs the tool under Node 24.
import { ensureToolchain, toolEntry } from './toolchain.mjs';
import { environmentFor, exitWith, runForeground } from './toolchain/process.mjs';

await exitWith(async () => {
  const [level, tool, ...args] = process.argv.slice(2);
  const node = await ensureToolchain(level);
  if (tool === undefined) return 0;
  return runForeground(node, [toolEntry(tool), ...args], { env: environmentFor(node) });
});
