import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { assertBlobKey, assertBlobPrefix, BlobMeter, Blobs, type StoredBlob } from '@kernel/blobs';
import { AppError } from '@kernel/errors';
import sql from 'sql-template-tag';
import { v7 } from 'uuid';
import { PostgresClient } from './postgres.client';

const PART_BYTES = 1_048_576;
/** Older parts without a blob belong to no write any more. */
const ABANDONED_MS = 3_600_000;

/**
 * Blobs in PostgreSQL, for several machines over one database: parts of 1 MiB under a new content id, one statement each, and last the row
 * that makes them the content of the key. Errors as of the port.
 */
@Injectable()
export class PostgresBlobs extends Blobs implements OnApplicationBootstrap {
  constructor(private readonly postgres: PostgresClient) {
    super();
  }

  /** What a crash left half written. Content ids are UUIDv7: they sort by the time they were made. */
  async onApplicationBootstrap(): Promise<void> {
    const before = v7({ msecs: Date.now() - ABANDONED_MS });
    await this.postgres.query(
      sql`DELETE FROM blob_parts p WHERE p.content_id < ${before}::uuid AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.content_id = p.content_id)`,
    );
  }

  async put(key: string, content: Readable | Buffer, options: { maxBytes?: number } = {}): Promise<StoredBlob> {
    assertBlobKey(key);
    const contentId = v7();
    try {
      const stored = await this.writeParts(contentId, content, new BlobMeter(options.maxBytes));
      await this.show(key, contentId, stored);
      return stored;
    } catch (error) {
      // The rest is invisible; what cannot be removed now goes at the next start.
      await this.postgres.query(sql`DELETE FROM blob_parts WHERE content_id = ${contentId}`).catch(() => undefined);
      throw error;
    }
  }

  async get(key: string): Promise<Buffer> {
    return buffer(await this.open(key));
  }

  async open(key: string): Promise<Readable> {
    assertBlobKey(key);
    const rows = await this.postgres.query<{ content_id: string; bytes: string }>(
      sql`SELECT content_id, bytes FROM blobs WHERE key = ${key}`,
    );
    const blob = rows[0];
    if (blob === undefined) throw AppError.notFound('The stored content');
    return Readable.from(this.parts(blob.content_id, Number(blob.bytes)), { objectMode: false });
  }

  async delete(key: string): Promise<void> {
    assertBlobKey(key);
    await this.postgres.query(
      sql`WITH gone AS (DELETE FROM blobs WHERE key = ${key} RETURNING content_id) DELETE FROM blob_parts WHERE content_id IN (SELECT content_id FROM gone)`,
    );
  }

  async keys(prefix: string): Promise<string[]> {
    assertBlobPrefix(prefix);
    const rows = await this.postgres.query<{ key: string }>(
      sql`SELECT key FROM blobs WHERE starts_with(key, ${prefix}) ORDER BY key COLLATE "C"`,
    );
    return rows.map((row) => row.key);
  }

  private async *parts(contentId: string, bytes: number): AsyncGenerator<Buffer> {
    for (let part = 0; part * PART_BYTES < bytes; part += 1) {
      const found = await this.postgres.query<{ content: Buffer }>(
        sql`SELECT content FROM blob_parts WHERE content_id = ${contentId} AND part = ${part}`,
      );
      // Deleted or replaced while it was read.
      if (found[0] === undefined) throw AppError.notFound('The stored content');
      yield found[0].content;
    }
  }

  private async writeParts(contentId: string, content: Readable | Buffer, meter: BlobMeter): Promise<StoredBlob> {
    let pending: Buffer[] = [];
    let size = 0;
    let part = 0;
    const write = async (bytes: Buffer): Promise<void> => {
      await this.postgres.query(sql`INSERT INTO blob_parts (content_id, part, content) VALUES (${contentId}, ${part}, ${bytes})`);
      part += 1;
    };
    for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
      const bytes = Buffer.from(chunk as Uint8Array);
      meter.take(bytes);
      pending.push(bytes);
      size += bytes.length;
      if (size < PART_BYTES) continue;
      const whole = Buffer.concat(pending);
      const full = whole.length - (whole.length % PART_BYTES);
      for (let at = 0; at < full; at += PART_BYTES) await write(whole.subarray(at, at + PART_BYTES));
      pending = [whole.subarray(full)];
      size = whole.length - full;
    }
    if (size > 0) await write(Buffer.concat(pending));
    return meter.result();
  }

  private async show(key: string, contentId: string, stored: StoredBlob): Promise<void> {
    await this.postgres.transaction(async (connection) => {
      const earlier = await connection.query<{ content_id: string }>(sql`SELECT content_id FROM blobs WHERE key = ${key} FOR UPDATE`);
      await connection.query(
        sql`INSERT INTO blobs (key, content_id, bytes, sha256) VALUES (${key}, ${contentId}, ${stored.bytes}, ${stored.sha256})
            ON CONFLICT (key) DO UPDATE SET content_id = excluded.content_id, bytes = excluded.bytes, sha256 = excluded.sha256`,
      );
      if (earlier[0] !== undefined) await connection.query(sql`DELETE FROM blob_parts WHERE content_id = ${earlier[0].content_id}`);
    });
  }
}
