// npm run supply:age [-- --all]: notes when each newly locked version came out, and fails when one is younger than the cool-down; --all asks for each again.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, StepError, exitWith, say } from '../toolchain/process.mjs';
import { COOL_DOWN_DAYS, PUBLISHED, askPublished, judgeAges, readPublished } from './published.mjs';

await exitWith(async () => {
  const noted = readPublished();
  const { locked, missing, gone } = judgeAges(noted, Date.now());
  const asked = process.argv.includes('--all') ? locked : missing;
  const found = await askPublished(asked, (count) => count % 50 === 0 && say(`${count} of ${asked.length} ...`));
  const changed = asked.filter((key) => noted[key] !== undefined && noted[key] !== found[key]);
  if (changed.length > 0) throw new StepError(`${changed.join(', ')}: the registry names another day than ${PUBLISHED}.`);
  const all = { ...noted, ...found };
  const lines = locked.map((key) => `  ${JSON.stringify(key)}: ${JSON.stringify(all[key])}`);
  if (missing.length + gone.length > 0) writeFileSync(join(ROOT, PUBLISHED), `{\n${lines.join(',\n')}\n}\n`);
  const { young } = judgeAges(all, Date.now());
  say(`${locked.length} versions, ${asked.length} asked for, ${young.length} younger than ${COOL_DOWN_DAYS} days.`);
  if (young.length > 0) throw new StepError(`Too young: ${young.map((key) => `${key} (${all[key]})`).join(', ')}.`);
});
