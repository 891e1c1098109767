import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../files/checksum.mjs';
import { digestOf, isVerified, noteVerified } from './verified.mjs';

/** The first bytes of every model file (ggml's docs/gguf.md). */
export const MAGIC = Buffer.from('GGUF');

export const MISSING = 'missing';
export const READY = 'ready';
export const WRONG = 'wrong bytes';
/** There, and neither pinned nor fetched by us: nothing says which bytes it should have. */
export const UNRECORDED = 'no recorded digest';

/** How the model's file stands in `folder`, and its size there: by the stamp, or by a full hash when that is absent or `rehash` asks. */
export async function stateOf(folder, model, { rehash = false } = {}) {
  const path = join(folder, model.name);
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return { state: MISSING, size: model.size };
  return { state: await judge(folder, model, { path, size, rehash }), size };
}

async function judge(folder, model, { path, size, rehash }) {
  if (!rehash && isVerified(folder, model)) return READY;
  if (model.sha256 && size !== model.size) return WRONG;
  const digest = digestOf(folder, model);
  if (!digest) return (await startOf(path)).equals(MAGIC) ? UNRECORDED : WRONG;
  if ((await sha256(path)) !== digest) return WRONG;
  noteVerified(folder, model);
  return READY;
}

async function startOf(path) {
  const file = await open(path, 'r');
  try {
    const start = Buffer.alloc(MAGIC.length);
    await file.read(start, 0, MAGIC.length, 0);
    return start;
  } finally {
    await file.close();
  }
}
