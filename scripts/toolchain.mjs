import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies } from './toolchain/dependencies.mjs';
import { ensureNode } from './toolchain/node.mjs';
import { ensureBuild } from './toolchain/output.mjs';
import { ROOT, StepError } from './toolchain/process.mjs';

/** How much must be ready, each level with those before it. */
export const LEVELS = ['node', 'install', 'build'];

/**
 * Makes the toolchain ready up to `level` and answers the path of a suitable Node. Runs on any Node from 18 on; when everything
 * is ready already it touches no network and takes some milliseconds. Two processes may call it at the same time.
 */
export async function ensureToolchain(level) {
  const wanted = LEVELS.indexOf(level);
  if (wanted < 0) throw new StepError(`"${level}" is none of: ${LEVELS.join(', ')}.`);
  const node = await ensureNode();
  if (wanted >= 1) await ensureDependencies(node);
  if (wanted >= 2) await ensureBuild(node);
  return node;
}

const PACKAGES = { depcruise: 'dependency-cruiser', jest: 'jest', oxlint: 'oxlint', prettier: 'prettier', tsc: 'typescript' };

/** The JavaScript entry of an installed tool, or of a script of ours given by its path: run without a shell or a .cmd shim. */
export function toolEntry(tool) {
  if (/\.m?js$/.test(tool)) return join(ROOT, tool);
  const folder = join(ROOT, 'node_modules', PACKAGES[tool] ?? '');
  if (!PACKAGES[tool]) throw new StepError(`"${tool}" is not a tool of this repository: ${Object.keys(PACKAGES).join(', ')}.`);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[tool]);
}
