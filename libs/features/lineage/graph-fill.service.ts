import { Injectable } from '@nestjs/common';
import type { GraphCopy, GraphKind } from '@kernel/graph';
import { GraphChangesRepository, type GraphFeed } from './graph-changes.repository';

/** Ids in one step. */
const SLICE = 500;
/** First what the ledger has, then what the copy has beyond it. */
const STAGES: { kind: GraphKind; of: 'ledger' | 'copy' }[] = (['collection', 'document', 'answer'] as const).flatMap((kind) => [
  { kind, of: 'ledger' as const },
  { kind, of: 'copy' as const },
]);

/**
 * Sees to it that a copy holds all that there is: a new one, one that lost what it had, and one that nobody kept for a while are filled. A fill notes
 * everything as changed, step by step; it goes on where a process left it.
 */
@Injectable()
export class GraphFill {
  constructor(private readonly changes: GraphChangesRepository) {}

  /** The feed as it is; of a copy that holds another fill, or none, the filling begins. */
  async check(copy: GraphCopy): Promise<GraphFeed> {
    const feed = await this.changes.watch();
    const held = await copy.filled(feed.ledger);
    if (held?.fill === feed.fill) return feed;
    // A new one for a copy that has not begun; anything else it holds is of another time.
    const fresh = feed.stage === 0 && feed.reached === '' ? feed : await this.changes.restart(feed.fill);
    await copy.begin(fresh);
    return fresh;
  }

  /** One step further; undefined when another process is at it, or has begun another fill. */
  async step(copy: GraphCopy, feed: GraphFeed): Promise<GraphFeed | undefined> {
    const stage = STAGES[feed.stage];
    if (stage === undefined) return feed;
    // Asked before the transaction: none waits for the network.
    const copied = stage.of === 'copy' ? await copy.ids(feed.ledger, stage.kind, feed.reached, SLICE) : [];
    return this.changes.advance(feed.fill, async (connection, now) => {
      if (now.stage !== feed.stage || now.reached !== feed.reached) return now;
      if (stage.of === 'copy') await this.changes.noteStrangers(connection, stage.kind, copied);
      const last = stage.of === 'copy' ? copied.at(-1) : await this.changes.note(connection, stage.kind, feed.reached, SLICE);
      return last === undefined ? { stage: feed.stage + 1, reached: '' } : { stage: feed.stage, reached: last };
    });
  }

  isNoted({ stage }: GraphFeed): boolean {
    return stage >= STAGES.length;
  }
}
