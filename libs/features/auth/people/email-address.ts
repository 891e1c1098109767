import { AppError } from '@kernel/errors';

/** Something, one @, something; no white space, no control or unassigned characters. Whether mail arrives, only mail can tell. */
const ADDRESS = /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]{1,253}$/u;
const MOST_CHARACTERS = 254;

/** The one form of an e-mail address (trimmed, NFC, lower case), so that two spellings are one account. */
export function normaliseEmail(text: string): string {
  const email = text.trim().normalize('NFC').toLowerCase();
  if (email.length > MOST_CHARACTERS || !ADDRESS.test(email))
    throw AppError.field('invalid', 'email', 'must be an e-mail address of at most 254 characters.');
  return email;
}
