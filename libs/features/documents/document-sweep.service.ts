import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Points } from '@features/vectors';
import { Blobs } from '@kernel/blobs';
import { DocumentReplacementsRepository } from './document-replacements.repository';
import { DocumentsRepository } from './documents.repository';

/** Blobs of documents asked about in one statement. */
const BATCH = 500;
/** With other processes on one database: a blob younger than this may be about to get its row. */
const SETTLED_MS = 3_600_000;

/**
 * Removes what deleted, failed and replaced documents leave behind: vectors, points and blobs. Runs after each such end, and over everything at the
 * start, which finds what a crash left. What fails now is found at the next run.
 */
@Injectable()
export class DocumentSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(DocumentSweep.name);
  private readonly startedAt = Date.now();
  private last: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly repository: DocumentsRepository,
    private readonly replacements: DocumentReplacementsRepository,
    private readonly points: Points,
    private readonly blobs: Blobs,
    private readonly postgres: PostgresClient,
  ) {}

  onApplicationBootstrap(): void {
    // Only the embedded database has no other process that may be between writing a blob and its row.
    const before = this.postgres.embedded ? this.startedAt : this.startedAt - SETTLED_MS;
    void this.enqueue(() => this.all(before));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.last;
  }

  /** What one document left; its row says what stays. Resolves when it is done, whether that worked or not. */
  document(id: string): Promise<void> {
    return this.enqueue(() => this.one(id));
  }

  /** Resolves when nothing is left to do. */
  idle(): Promise<void> {
    return this.last;
  }

  private async one(id: string): Promise<void> {
    await this.removeUnused([...(await this.blobs.keys(`texts/${id}/`)), ...(await this.blobs.keys(`documents/${id}/`))]);
    await this.points.sweep();
  }

  private async all(before: number): Promise<void> {
    await this.points.sweep();
    await this.replacements.forgetAbandoned();
    for (const kind of ['documents/', 'texts/']) {
      const keys = await this.blobs.keys(kind);
      for (let at = 0; at < keys.length && !this.stopping; at += BATCH) await this.removeUnused(keys.slice(at, at + BATCH), before);
    }
  }

  /** A blob without a row that was made after `before` may be about to get one. */
  private async removeUnused(keys: string[], before = Number.POSITIVE_INFINITY): Promise<void> {
    const living = new Map((await this.repository.living([...new Set(keys.map((key) => partsOf(key).id))])).map((each) => [each.id, each]));
    for (const key of keys) {
      const { kind, id, version } = partsOf(key);
      const document = living.get(id);
      const used = kind === 'documents' ? document?.originals.includes(version) === true : document?.texts.includes(version) === true;
      const awaited = document === undefined && madeAt(key) >= before;
      if (!used && !awaited) await this.blobs.delete(key);
    }
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    this.last = this.last.then(async () => {
      if (this.stopping) return;
      await work().catch((error: unknown) => this.logger.warn({ msg: 'What documents left could not be removed yet', err: error }));
    });
    return this.last;
  }
}

function partsOf(key: string): { kind: string; id: string; version: number } {
  const [kind = '', id = '', version = ''] = key.split('/');
  return { kind, id, version: Number(version) };
}

/** The ids of documents are UUIDv7: their first 48 bits are the time. */
function madeAt(key: string): number {
  return Number.parseInt(partsOf(key).id.replaceAll('-', '').slice(0, 12), 16);
}
