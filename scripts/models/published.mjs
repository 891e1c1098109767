import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { UnreachableError, WrongFileError } from '../files/download.mjs';
import { MAGIC } from './state.mjs';

const CONNECT_MS = 10_000;

/**
 * What to expect of a file without a pinned checksum: `expected` with the size that `url` says it has now, after a look at its
 * first bytes, and `firstSeen` when no checksum is recorded either. Without a checksum nothing would show that two halves come from different files, so a part that was begun from
 * another address or another version of the file is dropped.
 */
export async function asPublished(url, target, expected, { connectMs = CONNECT_MS } = {}) {
  const { size, version } = await look(url, connectMs);
  const note = noteOf(target);
  const origin = `${url} ${size} ${version}\n`;
  const former = await readFile(note, 'utf8').catch(() => undefined);
  if (former !== origin) {
    await rm(`${target}.part`, { force: true });
    await writeFile(note, origin);
  }
  return { ...expected, size, firstSeen: !expected.sha256 };
}

/** Removes the note on a part that is no longer there. */
export async function forgetPart(target) {
  const kept = await stat(`${target}.part`).catch(() => undefined);
  if (!kept) await rm(noteOf(target), { force: true });
}

async function look(url, connectMs) {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), connectMs);
  const headers = { 'accept-encoding': 'identity', range: `bytes=0-${MAGIC.length - 1}` };
  try {
    const response = await fetch(url, { headers, signal: aborter.signal, redirect: 'follow' });
    const start = response.ok ? await startOf(response.body) : undefined;
    return judge(url, response, start);
  } catch (error) {
    if (error instanceof WrongFileError) throw error;
    const reason = aborter.signal.aborted
      ? `no answer within ${connectMs / 1000} s`
      : (error.cause?.code ?? error.cause?.message ?? error.message);
    throw new UnreachableError(`${new URL(url).host} is unreachable (${reason})`);
  } finally {
    clearTimeout(timer);
    // A server that ignores the range would go on sending the whole file.
    aborter.abort();
  }
}

function judge(url, response, start) {
  if (response.status !== 200 && response.status !== 206) throw new WrongFileError(`${url} answers ${response.status}`);
  if (!start.equals(MAGIC)) throw new WrongFileError(`${url} is not a GGUF file`);
  const ranged = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const size = Number(response.status === 206 ? ranged : response.headers.get('content-length'));
  if (!(size > 0)) throw new WrongFileError(`${url} does not say how long the file is`);
  return { size, version: response.headers.get('etag') ?? response.headers.get('last-modified') ?? '' };
}

async function startOf(body) {
  const pieces = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= MAGIC.length) break;
  }
  return Buffer.concat(pieces).subarray(0, MAGIC.length);
}

function noteOf(target) {
  return `${target}.part.origin`;
}
