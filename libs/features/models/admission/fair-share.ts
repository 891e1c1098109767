interface Share<T> {
  waiting: T[];
  /** Virtual time from which the next of them may start. */
  tag: number;
  /** When it got this tag, as a number that only grows: among equal tags the older goes first. */
  since: number;
}

/**
 * Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queuing", SIGCOMM 1996) with one unit of cost for each start: first come first served
 * within an owner, and while two owners wait neither gets two more starts than the other. Who has just been served is remembered while it matters.
 */
export class FairShare<T> {
  private readonly shares = new Map<string, Share<T>>();
  private virtual = 0;
  private stamps = 0;
  private waiting = 0;

  /** How many wait. */
  get size(): number {
    return this.waiting;
  }

  /** How many of one owner's wait. */
  of(owner: string): number {
    return this.shares.get(owner)?.waiting.length ?? 0;
  }

  add(owner: string, item: T): void {
    const share = this.shares.get(owner) ?? { waiting: [], tag: this.virtual, since: 0 };
    this.shares.set(owner, share);
    if (share.waiting.length === 0) this.stamp(share, Math.max(this.virtual, share.tag));
    share.waiting.push(item);
    this.waiting += 1;
  }

  /** False: it does not wait (any more). */
  remove(owner: string, item: T): boolean {
    const share = this.shares.get(owner);
    const at = share?.waiting.indexOf(item) ?? -1;
    if (share === undefined || at < 0) return false;
    share.waiting.splice(at, 1);
    this.waiting -= 1;
    return true;
  }

  /** Takes the one whose turn it is. */
  next(): T | undefined {
    const share = first([...this.shares.values()].filter(({ waiting }) => waiting.length > 0));
    const item = share?.waiting.shift();
    if (share === undefined || item === undefined) return undefined;
    this.waiting -= 1;
    this.virtual = share.tag;
    this.stamp(share, share.tag + 1);
    for (const [owner, { waiting, tag }] of this.shares) if (waiting.length === 0 && tag <= this.virtual) this.shares.delete(owner);
    return item;
  }

  /** All that wait, in the order in which `next` would take them if nobody came. */
  order(): T[] {
    let stamps = this.stamps;
    const left = [...this.shares.values()].map(({ waiting, tag, since }) => ({ waiting: [...waiting], tag, since }));
    const order: T[] = [];
    while (order.length < this.waiting) {
      const share = first(left.filter(({ waiting }) => waiting.length > 0));
      if (share === undefined) break;
      order.push(...share.waiting.splice(0, 1));
      share.tag += 1;
      share.since = stamps += 1;
    }
    return order;
  }

  private stamp(share: Share<T>, tag: number): void {
    share.tag = tag;
    this.stamps += 1;
    share.since = this.stamps;
  }
}

function first<T>(shares: Share<T>[]): Share<T> | undefined {
  return shares.reduce<Share<T> | undefined>(
    (best, share) => (best === undefined || share.tag < best.tag || (share.tag === best.tag && share.since < best.since) ? share : best),
    undefined,
  );
}
