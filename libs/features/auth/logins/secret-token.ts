import { createHash, randomBytes } from 'node:crypto';

/** A secret of 256 random bits in base64url behind a prefix that names its kind, as `sk-…`. */
export function newSecret(prefix: string): string {
  return `${prefix}${randomBytes(32).toString('base64url')}`;
}

/** What is stored of a secret: SHA-256 suffices, because 256 random bits cannot be guessed. */
export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}
