// What `services:up` keeps running, asked of its keeper.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { folders } from '../settings.mjs';
import { isRoot } from './server.mjs';

export const KEEPER_FILE = 'keeper.json';
const ANSWER_MS = 5_000;
const STOP_MS = 60_000;

/** Where the kept servers have their data. Some run as another user than root, who must be able to pass: where DATA_DIR is closed, a folder for temporary files. */
export function servicesDirectory() {
  const { dataDir } = folders();
  if (!isRoot || isOpenToOthers(dataDir)) return join(dataDir, 'services');
  return join(tmpdir(), `sutazai-services-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`);
}

function isOpenToOthers(folder) {
  for (let path = folder; ; path = dirname(path)) {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && (mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** The state of each kept server by name; undefined when no keeper runs. */
export async function keptServices(directory = servicesDirectory()) {
  return ask(directory, { signal: AbortSignal.timeout(ANSWER_MS) });
}

/** Has the keeper start what is not up of these; answers as `keptServices`. */
export async function startKept(names, directory = servicesDirectory()) {
  return ask(
    directory,
    { method: 'POST', signal: AbortSignal.timeout(ANSWER_MS) },
    new URLSearchParams(names.map((name) => ['name', name])),
  );
}

/** Ends the kept servers and their keeper; answers whether there was one. */
export async function endKept(directory = servicesDirectory()) {
  return (await ask(directory, { method: 'DELETE', signal: AbortSignal.timeout(STOP_MS) })) !== undefined;
}

async function ask(directory, options, query = '') {
  let keeper;
  try {
    keeper = JSON.parse(readFileSync(join(directory, KEEPER_FILE), 'utf8'));
  } catch {
    return undefined;
  }
  try {
    const headers = { authorization: `Bearer ${keeper.token}` };
    const answer = await fetch(`http://127.0.0.1:${keeper.port}/?${query}`, { ...options, headers });
    return answer.ok ? await answer.json() : undefined;
  } catch (error) {
    // Nobody listens: the file is that of a keeper that was killed.
    if (error.cause?.code === 'ECONNREFUSED') return undefined;
    throw error;
  }
}
