import type { PostgresClient, Queryable, RequestTransaction } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { IdempotencyKeysRepository } from './idempotency-keys.repository';
import { Repeated, type KeptAnswer, type KeptRequest } from './kept-request.entity';

/** Answers that say nothing about the request itself: a repeat is asked anew. So are faults of the server. */
const PASSING = new Set([401, 403, 408, 413, 429]);

export interface AttemptIdentity {
  /** SHA-256 of who asks, of the route and of the key. */
  id: Buffer;
  workspaceId: string;
  userId: string;
  /** The answer holds a secret, which is shown once and stored nowhere. */
  secret: boolean;
}

/**
 * One request under an idempotency key. What it writes and what it is answered are stored in one transaction, which takes the key first: of
 * several at the same moment one goes on. Errors of that: `idempotency_in_progress`, `idempotency_key_reused`, `conflict` (the answer was a secret).
 */
export class IdempotentAttempt {
  /** SHA-256 of what is asked; of a form it is known when the form has been read, and before anything is written. */
  fingerprint?: Buffer;
  /** A request with this key came before. */
  kept?: KeptRequest;
  readonly transaction: RequestTransaction;
  private accepted: object | null = null;
  /** What was accepted is stored. */
  private stored = false;
  private recalled = false;
  private refused = false;
  private provisional = false;

  constructor(
    private readonly identity: AttemptIdentity,
    private readonly repository: IdempotencyKeysRepository,
    postgres: PostgresClient,
  ) {
    this.transaction = postgres.requestTransaction((connection) => this.admit(connection));
  }

  /** Looks for the request that came before, without waiting for one that is at work. */
  async lookUp(): Promise<KeptRequest | undefined> {
    return this.repository.find(this.identity.id);
  }

  /** Makes `kept` what this request is answered with. Errors: `idempotency_key_reused`, `conflict`. */
  recognise(kept: KeptRequest): void {
    if (this.fingerprint === undefined) throw new Error('What is asked must be known before it is compared.');
    this.refused = true;
    if (!kept.fingerprint.equals(this.fingerprint))
      throw new AppError('idempotency_key_reused', 'This Idempotency-Key was used for another request; use a new one.');
    if (kept.answer === null && kept.accepted === null)
      throw new AppError('conflict', 'This request was carried out before; its answer held a secret, which is shown only once.');
    this.refused = false;
    this.kept = kept;
  }

  /** What was accepted: by `accept` now, or by the request that came before. A later answer is made of it. */
  async once<T extends object>(accept: () => Promise<T>): Promise<T> {
    if (this.kept === undefined) {
      try {
        const accepted = await accept();
        this.accepted = accepted;
        return accepted;
      } catch (error) {
        if (!(error instanceof Repeated)) throw error;
      }
    }
    const accepted = this.kept?.accepted ?? null;
    if (accepted === null) throw inProgress();
    this.recalled = true;
    return accepted as T;
  }

  /** Stores what was accepted, before its answer is there: it is streamed, or waited for. */
  async settle(): Promise<void> {
    if (this.kept === undefined && !this.stored) await this.store(null);
  }

  /** The answer that follows is not the last word: a repeat makes another. */
  leaveOpen(): void {
    this.provisional = true;
  }

  /** To be called with every answer before it leaves; resolves with the one that leaves in its place. */
  async answered(answer: KeptAnswer): Promise<KeptAnswer | undefined> {
    if (this.kept !== undefined || this.stored) return this.answeredAgain(answer);
    if (answer.status >= 400) await this.transaction.rollBack();
    if (!this.keeps(answer)) return undefined;
    try {
      await this.store(answer.status < 400 && this.identity.secret ? null : answer);
    } catch (error) {
      if (error instanceof Repeated && error.kept.answer !== null) return error.kept.answer;
      // Nothing was done: whether that can be remembered does not matter to the caller. Unless another request with this key did it meanwhile, and
      // what this one is refused for is its own work.
      if (answer.status < 400 || this.refused || this.kept !== undefined) throw error;
    }
    return undefined;
  }

  private async answeredAgain(answer: KeptAnswer): Promise<KeptAnswer | undefined> {
    const before = this.kept?.answer ?? undefined;
    if (this.kept !== undefined && !this.recalled) return before;
    if (answer.status >= 400 || this.provisional) return undefined;
    return before ?? (await this.repository.keep(this.identity.id, answer).catch(() => null)) ?? undefined;
  }

  private keeps({ status }: KeptAnswer): boolean {
    return status < 500 && !PASSING.has(status) && !this.refused && this.fingerprint !== undefined;
  }

  private async admit(connection: Queryable): Promise<void> {
    if (this.fingerprint === undefined) throw new Error('What is asked must be known before anything is written.');
    const { id } = this.identity;
    this.refused = !(await this.repository.take(connection, id));
    if (this.refused) throw inProgress();
    const kept = await this.repository.find(id, connection);
    if (kept === undefined) return;
    this.recognise(kept);
    throw new Repeated(kept);
  }

  private async store(answer: KeptAnswer | null): Promise<void> {
    const { fingerprint, accepted, identity } = this;
    if (fingerprint === undefined) throw new Error('What is asked must be known before it is stored.');
    await this.transaction.unit(async (connection) => {
      if (!(await this.repository.insert(connection, { ...identity, fingerprint, answer, accepted }))) throw inProgress();
    });
    await this.transaction.commit();
    this.stored = true;
  }
}

function inProgress(): AppError {
  return new AppError('idempotency_in_progress', 'A request with this Idempotency-Key is being carried out; repeat it in a moment.', {
    retryAfterSeconds: 1,
  });
}
