/** What is kept as blobs: whoever moves them moves these. */
export const BLOB_KINDS = ['documents', 'texts'] as const;

const KIND = `(?:${BLOB_KINDS.join('|')})`;
const KEY = new RegExp(`^${KIND}/[0-9a-f-]{36}/[0-9]+$`);
const PREFIX = new RegExp(`^${KIND}/(?:[0-9a-f-]{36}/)?$`);

/** `<kind>/<uuid>/<version>`; anything else is a fault of ours, because no user ever names a key. */
export function assertBlobKey(key: string): void {
  if (!KEY.test(key)) throw new Error('A blob key has a form that the server never makes.');
}

/** `<kind>/` or `<kind>/<uuid>/`. */
export function assertBlobPrefix(prefix: string): void {
  if (!PREFIX.test(prefix)) throw new Error('A blob prefix has a form that the server never makes.');
}
