import { Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import sql from 'sql-template-tag';
import { connectionFault } from './postgres.error';
import type { Queryable } from './queryable';

/** Milliseconds that it may stay open: nothing slow is waited for while it is. */
export const OPEN_MS = 10_000;

/** Runs work in a transaction of its own: commits when it resolves, rolls back when it rejects. */
type Transaction = (work: (connection: Queryable) => Promise<void>) => Promise<void>;

interface Opened {
  connection: Queryable;
  commit: () => void;
  rollBack: (reason: Error) => void;
  /** Resolves when the commit is confirmed; rejects with why there was none. */
  ended: Promise<void>;
  /** Why it has ended by itself. */
  failure?: unknown;
}

/**
 * One transaction for all that a request writes: begun by its first write, joined by every statement after that, ended by whoever made it.
 * Each write is a unit: one that fails leaves those before it, and without any before it nothing is open afterwards. Units take turns on the
 * one connection. Errors: those of `admit`, `timeout` after 10 s, and what a commit may fail with.
 */
export class RequestTransaction {
  private readonly logger = new Logger(RequestTransaction.name);
  private opening?: Promise<Opened>;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting: (() => unknown)[] = [];
  private changed = false;
  private closed = false;

  /** `admit` runs first in the transaction; when it rejects there is none. */
  constructor(
    private readonly begin: Transaction,
    private readonly admit: (connection: Queryable) => Promise<void>,
    private readonly openMs = OPEN_MS,
  ) {}

  /** Begun, or beginning. */
  get open(): boolean {
    return this.opening !== undefined;
  }

  /** It has ended for good: what the request still does stands for itself. */
  get over(): boolean {
    return this.closed;
  }

  /** A part that is done as a whole or not at all; the first one begins the transaction. */
  unit<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      const { connection } = await this.opened();
      if (this.changed) await connection.query(sql`SAVEPOINT unit`);
      try {
        const result = await work(connection);
        if (this.changed) await connection.query(sql`RELEASE SAVEPOINT unit`);
        this.changed = true;
        return result;
      } catch (error) {
        await this.undo(connection, error);
        throw error;
      }
    });
  }

  /** A question, answered as the request has changed things so far. Only while it is open. */
  read<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return this.inTurn(async () => work((await this.opened()).connection));
  }

  /** Runs `work` when what was written so far is stored: at once while nothing was, never after a rollback. */
  afterCommit<T>(work: () => T): T | undefined {
    if (!this.open) return work();
    this.waiting.push(work);
    return undefined;
  }

  /** Resolves when everything is stored, and what waited for that has begun. */
  async commit(): Promise<void> {
    await this.inTurn(async () => {
      const opened = await this.opening;
      this.closed = true;
      this.opening = undefined;
      opened?.commit();
      await opened?.ended;
    });
    for (const work of this.waiting.splice(0)) void this.follow(work);
  }

  /** Forgets all that was written; a write after this begins anew. */
  async rollBack(): Promise<void> {
    await this.inTurn(() => this.abandon());
  }

  private async follow(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn({ msg: 'What was to follow a request could not be done', err: error });
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async opened(): Promise<Opened> {
    if (this.closed) throw new Error('The transaction of this request has ended.');
    this.opening ??= this.start().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    const opened = await this.opening;
    if (opened.failure !== undefined) throw opened.failure;
    return opened;
  }

  private start(): Promise<Opened> {
    return new Promise((resolve, reject) => {
      const ended = this.begin(async (connection) => {
        await this.admit(connection);
        await new Promise<void>((commit, rollBack) => {
          const late = setTimeout(
            () => rollBack(new AppError('timeout', 'The request kept its transaction open for too long.')),
            this.openMs,
          );
          const opened: Opened = { connection, ended, commit, rollBack };
          void ended.catch((error: unknown) => (opened.failure = error)).then(() => clearTimeout(late));
          resolve(opened);
        });
      });
      ended.catch(reject);
    });
  }

  /** Without anything before it the whole ends: the request may wait for something before it tries again. */
  private async undo(connection: Queryable, error: unknown): Promise<void> {
    if (!this.changed) return this.abandon();
    if (connectionFault(error) === undefined) await connection.query(sql`ROLLBACK TO SAVEPOINT unit`);
  }

  private async abandon(): Promise<void> {
    const opened = await this.opening?.catch(() => undefined);
    this.opening = undefined;
    this.changed = false;
    this.waiting = [];
    opened?.rollBack(new Error('Rolled back.'));
    await opened?.ended.catch(() => undefined);
  }
}
