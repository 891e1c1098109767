import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = '.verified.json';

/** The sha256 the model's file must have: pinned, or the one recorded at its first download; undefined before that. */
export function digestOf(folder, model) {
  if (model.sha256) return model.sha256;
  try {
    return /^[0-9a-f]{64}\b/.exec(readFileSync(recordOf(folder, model), 'utf8'))?.[0];
  } catch {
    return undefined;
  }
}

/** Records the digest of a model whose checksum is not pinned: whatever is fetched later must have it. */
export function recordDigest(folder, model, digest) {
  writeFileSync(recordOf(folder, model), `${digest}\n`);
}

/**
 * True when the file in `folder` is the one whose checksum was verified: same size and modification time as then, so that a start
 * does not hash 140 MB. Runs on any Node.
 */
export function isVerified(folder, model) {
  const digest = digestOf(folder, model);
  const noted = readStamp(folder)[model.name];
  const found = stat(join(folder, model.name));
  return Boolean(digest && noted && found) && noted.sha256 === digest && noted.size === found.size && noted.mtimeMs === found.mtimeMs;
}

/** Notes that the file as it lies there has the model's checksum. */
export function noteVerified(folder, model) {
  const { size, mtimeMs } = statSync(join(folder, model.name));
  const stamp = { ...readStamp(folder), [model.name]: { sha256: digestOf(folder, model), size, mtimeMs } };
  writeFileSync(join(folder, STAMP), `${JSON.stringify(stamp, null, 2)}\n`);
}

function recordOf(folder, model) {
  return join(folder, `${model.name}.sha256`);
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
