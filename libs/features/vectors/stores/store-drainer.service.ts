import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { PgvectorStore } from '@backing/postgres';
import { backoff } from '@kernel/calls';
import { VectorStores, type EmbeddingSpace, type VectorStore } from '@kernel/vectors';
import { StoreChanges } from './store-changes.repository';
import { StoreDelivery } from './store-delivery.service';

/** Points of one claim. */
const BATCH = 200;
/** Between two looks for changes of which nobody told this process. */
const POLL_MS = 1_000;
const FAILED = { baseMs: 200, capMs: 2_000 };

/** One store's turn: how it waits and how it fared. */
interface Round {
  store: VectorStore;
  failures: number;
  woken: boolean;
  resume?: () => void;
}

/**
 * Brings to each store what it has not heard yet: deletions, and writes that failed after they were committed. One loop for each store, so that one
 * that is away holds up no other; several processes share the work.
 */
@Injectable()
export class StoreDrainer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(StoreDrainer.name);
  private readonly rounds: Round[];
  private loops: Promise<void>[] = [];
  private stopping = false;

  constructor(
    stores: VectorStores,
    shared: PgvectorStore,
    private readonly changes: StoreChanges,
    private readonly delivery: StoreDelivery,
  ) {
    this.rounds = stores.all.filter((store) => store.name !== shared.name).map((store) => ({ store, failures: 0, woken: false }));
  }

  onApplicationBootstrap(): void {
    this.loops = this.rounds.map((round) => this.turn(round));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    for (const { store } of this.rounds) this.wake(store.name);
    await Promise.all(this.loops);
  }

  /** There is something for that store. */
  wake(name: string): void {
    const round = this.rounds.find(({ store }) => store.name === name);
    if (round === undefined) return;
    round.woken = true;
    round.resume?.();
  }

  private async turn(round: Round): Promise<void> {
    while (!this.stopping) {
      round.woken = false;
      try {
        await this.drain(round.store);
        round.failures = 0;
      } catch (error) {
        round.failures += 1;
        if (round.failures === 1) this.logger.warn({ msg: `What changed waits for ${round.store.name}`, err: error });
      }
      // One who is woken while the store is away has nothing new to try.
      const failed = round.failures > 0;
      await this.pause(round, failed ? backoff(round.failures - 1, FAILED) : POLL_MS, failed);
    }
  }

  private async drain(store: VectorStore): Promise<void> {
    const spaces = await this.changes.waiting(store.name);
    if (spaces.length > 0) store.assertReachable();
    for (const space of spaces) while (!this.stopping && (await this.batch(space)) === BATCH);
  }

  private async batch(space: EmbeddingSpace): Promise<number> {
    const claim = randomUUID();
    const changes = await this.changes.claimDue(space, BATCH, claim);
    if (changes.length > 0) await this.delivery.deliver({ claim, space, changes });
    return changes.length;
  }

  private async pause(round: Round, milliseconds: number, deaf: boolean): Promise<void> {
    if (this.stopping || (round.woken && !deaf)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      round.resume = () => {
        if (deaf && !this.stopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
    round.resume = undefined;
  }
}
