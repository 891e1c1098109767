import { Injectable } from '@nestjs/common';
import { Fanout } from '@kernel/fanout';
import type { Principal } from '@kernel/identity';
import { z } from 'zod';

const CHANNEL = 'revoked';
/** With the time between two looks at an open answer, below the 5 s after which a revocation made by another process must hold everywhere. */
const LIFETIME_MILLISECONDS = 1_500;
const MOST_ENTRIES = 2_000;

const concernedSchema = z.strictObject({
  kind: z.enum(['user', 'key']).optional(),
  userId: z.string().optional(),
  workspaceId: z.string().optional(),
  sessionId: z.string().optional(),
  keyId: z.string().optional(),
});

/** Every principal of whom all that is named is true; everybody when nothing is. */
export type Concerned = z.infer<typeof concernedSchema>;

/** Remembers for 1.5 s whom a token or key belongs to; forgets at once what this process revokes, and on its word what others do. */
@Injectable()
export class PrincipalCache {
  private readonly entries = new Map<string, { principal: Principal; until: number }>();
  private readonly listeners: (() => void)[] = [];
  private revocations = 0;

  constructor(private readonly fanout: Fanout) {
    fanout.subscribe(CHANNEL, (word) => this.drop(concernedOf(word)));
  }

  /** The remembered principal, or what `load` finds. Undefined is not remembered. `secondsLeft` ends an entry earlier. */
  async get(
    key: string,
    load: () => Promise<{ principal: Principal; secondsLeft: number | null } | undefined>,
  ): Promise<Principal | undefined> {
    const asked = performance.now();
    const known = this.entries.get(key);
    if (known !== undefined && known.until > asked) return known.principal;
    const before = this.revocations;
    const found = await load();
    if (found === undefined) this.entries.delete(key);
    // What was read while something was revoked may be the state before it: good for this request, not to be kept.
    else if (before === this.revocations) {
      const left = found.secondsLeft === null ? LIFETIME_MILLISECONDS : Math.min(LIFETIME_MILLISECONDS, found.secondsLeft * 1000);
      this.keep(key, found.principal, asked + left);
    }
    return found?.principal;
  }

  /** In this process before it returns; in others as soon as they hear of it, and else when their time is up. */
  forget(concerned: Concerned): void {
    this.fanout.publish(CHANNEL, JSON.stringify(concerned));
  }

  /** For the life of the process; called after each `forget`. */
  onForget(listener: () => void): void {
    this.listeners.push(listener);
  }

  private drop(concerned: Concerned): void {
    this.revocations += 1;
    const facts = Object.entries(concerned) as [keyof Concerned, string][];
    for (const [key, { principal }] of this.entries)
      if (facts.every(([name, value]) => principal[name] === value)) this.entries.delete(key);
    for (const listener of this.listeners) listener();
  }

  private keep(key: string, principal: Principal, until: number): void {
    this.entries.delete(key);
    this.entries.set(key, { principal, until });
    if (this.entries.size <= MOST_ENTRIES) return;
    const oldest = this.entries.keys().next().value;
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}

/** A word that is not understood concerns everybody: to forget is never wrong. */
function concernedOf(word: string): Concerned {
  try {
    return concernedSchema.parse(JSON.parse(word));
  } catch {
    return {};
  }
}
