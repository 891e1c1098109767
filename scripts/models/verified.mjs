import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = '.verified.json';

/**
 * True when the file in `folder` is the one whose checksum was verified: same size and modification time as then, so that a start
 * does not hash 140 MB. Runs on any Node.
 */
export function isVerified(folder, model) {
  const noted = readStamp(folder)[model.name];
  const found = stat(join(folder, model.name));
  return Boolean(noted && found) && noted.sha256 === model.sha256 && noted.size === found.size && noted.mtimeMs === found.mtimeMs;
}

/** Notes that the file as it lies there has the model's checksum. */
export function noteVerified(folder, model) {
  const { size, mtimeMs } = statSync(join(folder, model.name));
  const stamp = { ...readStamp(folder), [model.name]: { sha256: model.sha256, size, mtimeMs } };
  writeFileSync(join(folder, STAMP), `${JSON.stringify(stamp, null, 2)}\n`);
}

function readStamp(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, STAMP), 'utf8'));
  } catch {
    return {};
  }
}

function stat(path) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
