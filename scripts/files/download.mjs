import { open as openFile, rename, rm, stat } from 'node:fs/promises';
import { sha256 } from './checksum.mjs';
import { createProgress } from './progress.mjs';

const CONNECT_MS = 10_000;
const IDLE_MS = 30_000;
const CUTS_ALLOWED = 5;

/** The server at this origin gave no answer at all: nothing else of it needs to be tried. */
export class UnreachableError extends Error {}

/** The server answered and has not got the right file. */
export class WrongFileError extends Error {}

/**
 * Downloads `url` to `target`, whose `size` (bytes) and `sha256` are pinned: wrong bytes never get that name. The bytes gather in
 * `target.part`, which a cut transfer or a later run continues by a Range request. Deadlines: `connectMs` until the answer's
 * headers, `idleMs` between two pieces.
 */
export async function download(url, target, expected, { connectMs = CONNECT_MS, idleMs = IDLE_MS, out = process.stderr } = {}) {
  const part = `${target}.part`;
  let continued = (await bytesOf(part)) > 0;
  for (let cuts = 0; ; ) {
    const before = await bytesOf(part);
    try {
      if (before < expected.size) await transfer(url, part, expected, { connectMs, idleMs, out });
      if (await keepIfRight(part, target, expected)) return;
      if (!continued) throw new WrongFileError(`${url} has other bytes than expected (checksum)`);
      continued = false;
    } catch (error) {
      const progressed = (await bytesOf(part)) > before;
      if (error instanceof WrongFileError || error instanceof UnreachableError || isLocal(error)) throw error;
      cuts += 1;
      if (!progressed && cuts > 1) throw error;
      if (cuts > CUTS_ALLOWED) throw error;
      continued = (await bytesOf(part)) > 0;
    }
  }
}

async function transfer(url, part, expected, { connectMs, idleMs, out }) {
  const offset = await bytesOf(part);
  const aborter = new AbortController();
  const response = await request(url, offset, aborter, connectMs);
  const from = await startOf(response, url, part, offset, expected.size).catch(async (error) => {
    aborter.abort();
    throw error;
  });
  await receive(response.body, part, from, expected, { url, idleMs, aborter, out });
  const bytes = await bytesOf(part);
  if (bytes < expected.size) throw new Error(`${url} broke off after ${bytes} of ${expected.size} bytes`);
}

async function request(url, offset, aborter, connectMs) {
  const timer = setTimeout(() => aborter.abort(), connectMs);
  // Without identity a proxy may compress, and then neither the length nor a Range means bytes of the file.
  const headers = { 'accept-encoding': 'identity', ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) };
  try {
    return await fetch(url, { headers, signal: aborter.signal, redirect: 'follow' });
  } catch (error) {
    const reason = aborter.signal.aborted
      ? `no answer within ${connectMs / 1000} s`
      : (error.cause?.code ?? error.cause?.message ?? error.message);
    throw new UnreachableError(`${new URL(url).host} is unreachable (${reason})`);
  } finally {
    clearTimeout(timer);
  }
}

/** The offset at which the answer's bytes belong; throws when the answer is not this file. */
async function startOf(response, url, part, offset, size) {
  if (response.status === 416) {
    await rm(part, { force: true });
    throw new Error(`${url} cannot continue at byte ${offset}`);
  }
  if (response.status !== 200 && response.status !== 206) throw new WrongFileError(`${url} answers ${response.status}`);
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 206 && Number(range?.[1]) !== offset) throw new WrongFileError(`${url} answers another range than asked for`);
  const from = response.status === 206 ? offset : 0;
  const length = response.headers.get('content-length');
  if (length !== null && from + Number(length) !== size) {
    throw new WrongFileError(`${url} has ${from + Number(length)} bytes instead of ${size}`);
  }
  return from;
}

/** Writes each piece before the next is read, so that a cut loses nothing that had arrived. */
async function receive(body, part, from, expected, { url, idleMs, aborter, out }) {
  const progress = createProgress(expected.name, expected.size, { out, start: from });
  const idle = setTimeout(() => aborter.abort(), idleMs);
  const file = await openFile(part, from > 0 ? 'a' : 'w');
  let bytes = from;
  try {
    for await (const piece of body) {
      idle.refresh();
      bytes += piece.length;
      if (bytes > expected.size) throw new WrongFileError(`${url} sends more than ${expected.size} bytes`);
      await file.appendFile(piece);
      progress.update(bytes);
    }
  } catch (error) {
    throw aborter.signal.aborted ? new Error(`${url} sent nothing for ${idleMs / 1000} s`) : error;
  } finally {
    clearTimeout(idle);
    await file.close();
    progress.end();
  }
}

/** Gives the part its final name when it is the expected file (by length alone when `firstSeen`), else removes it. */
export async function keepIfRight(part, target, expected) {
  if ((await bytesOf(part)) === expected.size && (expected.firstSeen || (await sha256(part)) === expected.sha256)) {
    await rename(part, target);
    return true;
  }
  await rm(part, { force: true });
  return false;
}

async function bytesOf(path) {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

function isLocal(error) {
  return ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'EPERM'].includes(error.code);
}
