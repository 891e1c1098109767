import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { backoff } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import { Graph, type ChunkFact, type FeedIdentity, type GraphCopy } from '@kernel/graph';
import { setTimeout as pause } from 'node:timers/promises';
import { GraphChangesRepository, type GraphChange, type GraphFeed } from './graph-changes.repository';
import { GraphFill } from './graph-fill.service';
import { LedgerFactsRepository } from './ledger-facts.repository';

const BATCH = 32;
/** Chunks in one transaction of the copy. */
const CHUNKS = 1_000;
const POLL_MS = 500;
const RETRY = { baseMs: 250, capMs: 2_000 };
/** Longer than all that is done with what was taken. */
const LEASE_MS = 60_000;
/** A copy may lose what it has, and be there again, between two changes. */
const CHECK_MS = 10_000;
/** A change that cannot be copied waits so long; the others do not wait for it. */
const PUT_OFF_MS = 60_000;
/** A server that cannot be reached may look like one that is slow: only a change that took too long so often is put off. */
const MOST_TIMEOUTS = 3;
const STOP_MS = 3_000;

/**
 * Keeps the copy of the lineage like the ledger, where there is one: takes what changed, asks the ledger how it is now, tells the copy. Several processes
 * may do so at once, and any may die at any point: what was not done is taken again, and the copy refuses what is older than what it has. While the
 * copy is away the changes wait in the database, and nothing else notices.
 */
@Injectable()
export class LineageFeed implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(LineageFeed.name);
  private loop?: Promise<void>;
  private readonly stopping = new AbortController();
  private feed?: GraphFeed;
  private checkedAt = 0;
  /** Up to which change all must be copied before the copy is complete; undefined once it is. */
  private until?: number;
  private batch = BATCH;
  private failures = 0;
  /** In a row, of changes that were tried alone. */
  private timeouts = 0;

  constructor(
    private readonly changes: GraphChangesRepository,
    private readonly fill: GraphFill,
    private readonly facts: LedgerFactsRepository,
    private readonly graph: Graph,
  ) {}

  onApplicationBootstrap(): void {
    const { copy } = this.graph;
    if (copy !== null) this.loop = this.turn(copy);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    // What hangs is left to the next process.
    await Promise.race([this.loop, pause(STOP_MS, undefined, { ref: false })]);
  }

  private async turn(copy: GraphCopy): Promise<void> {
    const { signal } = this.stopping;
    // What it needs is loaded when the start of the process is over.
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      const more = await this.carry(copy).catch((error: unknown) => this.failed(error));
      if (!more)
        await pause(this.failures === 0 ? POLL_MS : backoff(this.failures - 1, RETRY), undefined, { signal }).catch(() => undefined);
    }
  }

  /** True when there may be more to do at once. */
  private async carry(copy: GraphCopy): Promise<boolean> {
    const feed = await this.checked(copy);
    const noting = !this.fill.isNoted(feed);
    if (noting) this.feed = await this.fill.step(copy, feed);
    const taken = await this.changes.claim(this.batch, LEASE_MS);
    if (taken.length > 0) await this.copyTaken(copy, feed, taken);
    if (!noting) await this.complete(copy, feed);
    if (this.failures > 0) this.logger.log('The lineage is copied again.');
    this.failures = 0;
    const full = taken.length === this.batch;
    this.batch = Math.min(BATCH, this.batch * 2);
    return full || noting;
  }

  private async checked(copy: GraphCopy): Promise<GraphFeed> {
    if (this.feed !== undefined && this.failures === 0 && performance.now() - this.checkedAt < CHECK_MS) return this.feed;
    const known = this.feed?.fill;
    this.feed = await this.fill.check(copy);
    this.checkedAt = performance.now();
    if (this.feed.fill !== known) this.until = Number.POSITIVE_INFINITY;
    return this.feed;
  }

  /** From the first moment at which all that was noted for the fill is copied. */
  private async complete(copy: GraphCopy, feed: FeedIdentity): Promise<void> {
    if (this.until === undefined) return;
    if (this.until === Number.POSITIVE_INFINITY) this.until = await this.changes.latest();
    if (!(await this.changes.isDone(this.until))) return;
    await copy.complete(feed);
    this.until = undefined;
  }

  private async copyTaken(copy: GraphCopy, feed: FeedIdentity, taken: GraphChange[]): Promise<void> {
    try {
      await this.copyAll(copy, feed, taken);
      this.timeouts = 0;
      await this.changes.done(taken);
    } catch (error) {
      const away = this.isAway(error, taken.length === 1);
      const alone = taken.length === 1 && !away;
      if (alone) this.logger.error({ msg: 'A change of the lineage cannot be copied', kind: taken[0]?.kind, id: taken[0]?.id, err: error });
      await this.changes.release(taken, alone ? PUT_OFF_MS : 0);
      // One of them may be the reason: they come again one by one.
      if (!away) this.batch = 1;
      if (!alone) throw error;
    }
  }

  /** The copy is the reason, and none of the changes. */
  private isAway(error: unknown, alone: boolean): boolean {
    if (!(error instanceof AppError)) return false;
    if (error.code === 'timeout' && alone) {
      this.timeouts += 1;
      return this.timeouts % MOST_TIMEOUTS !== 0;
    }
    return ['unavailable', 'conflict'].includes(error.code);
  }

  private async copyAll(copy: GraphCopy, feed: FeedIdentity, taken: GraphChange[]): Promise<void> {
    const facts = await this.facts.of(taken);
    let chunks: ChunkFact[] = [];
    for (const document of facts.documents) {
      for (let after = ''; ; ) {
        const slice = await this.facts.chunks(document, after, CHUNKS);
        chunks.push(...slice);
        if (chunks.length >= CHUNKS) {
          await copy.apply(feed, { chunks, collections: [], documents: [], sessions: [], answers: [], gone: [] });
          chunks = [];
        }
        after = slice.at(-1)?.id ?? after;
        if (slice.length < CHUNKS) break;
      }
    }
    await copy.apply(feed, { ...facts, chunks });
  }

  private failed(error: unknown): false {
    this.failures += 1;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.failures === 1) this.logger.warn(`Changes of the lineage wait: ${reason}`);
    return false;
  }
}
