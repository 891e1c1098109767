import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmCli } from '../toolchain/npm.mjs';
import { ROOT, StepError } from '../toolchain/process.mjs';
import { distinct, lockedPackages } from './lockfile.mjs';

/** A stolen version is found and taken back within days: what is younger than this may not come in. */
export const COOL_DOWN_DAYS = 7;
export const PUBLISHED = join('deploy', 'published.json');
const DAY_MS = 86_400_000;
const AT_ONCE = 4;
const DEADLINE_MS = 120_000;

/** The days on which the locked versions came out, by `name@version`, as they were noted; they never change. */
export function readPublished() {
  try {
    return JSON.parse(readFileSync(join(ROOT, PUBLISHED), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

/** Locked versions without a noted day, noted ones that are locked no more, and those too young at `now` (milliseconds), counted from the end of their day. */
export function judgeAges(published, now, packages = lockedPackages()) {
  const locked = distinct(packages).map(({ name, version }) => `${name}@${version}`);
  const known = locked.filter((key) => published[key] !== undefined);
  return {
    locked,
    missing: locked.filter((key) => published[key] === undefined),
    gone: Object.keys(published).filter((key) => !locked.includes(key)),
    young: known.filter((key) => !(now - Date.parse(published[key]) >= (COOL_DOWN_DAYS + 1) * DAY_MS)),
  };
}

/** Asks the registry, through npm, when these versions came out; `onEach` hears how many are done. */
export async function askPublished(keys, onEach = () => {}) {
  const names = [...new Set(keys.map((key) => key.slice(0, key.lastIndexOf('@'))))];
  const found = {};
  const worker = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const times = await timesOf(name);
      for (const key of keys.filter((each) => each.slice(0, each.lastIndexOf('@')) === name)) {
        const time = times[key.slice(key.lastIndexOf('@') + 1)];
        if (time === undefined) throw new StepError(`${key}: the registry does not say when it came out.`);
        found[key] = new Date(time).toISOString().slice(0, 10);
      }
      onEach(Object.keys(found).length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

function timesOf(name) {
  const args = [npmCli(), 'view', name, 'time', '--json', '--loglevel=error'];
  return new Promise((done, failed) => {
    execFile(process.execPath, args, { cwd: ROOT, maxBuffer: 64 << 20, timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      if (error) failed(new StepError(`${name}: npm could not say when its versions came out: ${stderr.trim() || error.message}`));
      else done(JSON.parse(stdout));
    });
  });
}
