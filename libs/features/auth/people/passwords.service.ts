import { Injectable, type OnModuleInit } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { AppError } from '@kernel/errors';
import { newSecret } from '../logins/secret-token';

/** argon2id with 19 MiB, two passes, one lane: the least that OWASP's Password Storage Cheat Sheet names. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const OURS = '$argon2id$';
/** Hashes at once: each holds 19 MiB and a thread of the pool. */
const AT_ONCE = 2;
/** Hashes that may wait, some seconds' worth. */
const MOST_WAITING = 200;
const FEWEST_CHARACTERS = 12;
const MOST_CHARACTERS = 1024;

/**
 * Hashes and verifies passwords with argon2id, two at a time. Passwords are compared in NFC.
 * Errors: `invalid` (length), `unavailable` (too many are waiting).
 */
@Injectable()
export class Passwords implements OnModuleInit {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private nobody?: Promise<string>;

  /** Made before the first login, which would otherwise be told from the later ones by its time. */
  async onModuleInit(): Promise<void> {
    await this.nobodysHash();
  }

  async hash(password: string): Promise<string> {
    if (password.length < FEWEST_CHARACTERS || password.length > MOST_CHARACTERS) {
      throw AppError.field('invalid', 'password', `must have ${FEWEST_CHARACTERS} to ${MOST_CHARACTERS} characters.`);
    }
    return this.inTurn(() => hash(password.normalize('NFC'), COST));
  }

  /** False for a wrong password; without a stored hash (nobody has that e-mail), or with one that nothing fits, also false, after the same work. */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const usable = stored?.startsWith(OURS) === true;
    const target = usable ? stored : await this.nobodysHash();
    const matches = await this.inTurn(() => verify(target, password.normalize('NFC')));
    return matches && usable;
  }

  private nobodysHash(): Promise<string> {
    this.nobody ??= this.hash(newSecret(''));
    return this.nobody;
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < AT_ONCE) this.running += 1;
    else {
      if (this.waiting.length >= MOST_WAITING)
        throw new AppError('unavailable', 'Too many sign-ins are waiting.', { retryAfterSeconds: 2 });
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      // The place passes to the next one waiting, without ever being free in between.
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }
}
