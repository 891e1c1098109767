import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Client, type Notification } from 'pg';
import sql from 'sql-template-tag';
import { backoff } from '@kernel/calls';
import type { PostgresClient } from './postgres.client';

const RECONNECT = { baseMs: 200, capMs: 3_000 };
const CONNECT_MS = 5_000;
/** A connection that died without a word is found by asking. */
const CHECK_MS = 10_000;
/** NOTIFY takes a lock over the whole server when it commits: words of so many milliseconds share one. */
const GATHER_MS = 10;

export interface WordListener {
  hear(word: string): void;
  /** The connection is new: words may have been missed. */
  resumed(): void;
}

/**
 * Words between the processes on one database, by LISTEN and NOTIFY: one connection of its own, opened by the first `listen`, made again when it is lost.
 * Only hints: a word that is lost must be found again by asking. The embedded database has one process, which needs none.
 */
@Injectable()
export class PostgresListener implements OnApplicationShutdown {
  private readonly logger = new Logger(PostgresListener.name);
  private readonly listeners = new Map<string, WordListener>();
  private readonly unsent = new Map<string, Set<string>>();
  private client?: Client;
  private failures = 0;
  private gathering?: NodeJS.Timeout;
  private retrying?: NodeJS.Timeout;
  private checking?: NodeJS.Timeout;
  private closed = false;

  constructor(
    private readonly url: string | undefined,
    private readonly postgres: PostgresClient,
  ) {}

  /** One listener for each channel; a channel is an identifier of lower case letters and underscores. */
  listen(channel: string, listener: WordListener): void {
    if (!/^[a-z_]{1,63}$/.test(channel)) throw new Error(`"${channel}" cannot name a channel.`);
    if (this.url === undefined) return;
    this.listeners.set(channel, listener);
    if (this.listeners.size === 1) void this.connect();
    else void this.client?.query(`LISTEN ${channel}`).catch(() => undefined);
  }

  /** Never rejects and never waits; the word goes out within 10 ms, once however often it is said in that time. At most 8,000 bytes. */
  notify(channel: string, word: string): void {
    if (this.url === undefined || this.closed) return;
    this.unsent.set(channel, (this.unsent.get(channel) ?? new Set()).add(word));
    this.gathering ??= setTimeout(() => void this.send(), GATHER_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.gathering);
    await this.send();
    this.closed = true;
    clearTimeout(this.retrying);
    clearInterval(this.checking);
    await this.client?.end().catch(() => undefined);
  }

  private async send(): Promise<void> {
    this.gathering = undefined;
    const words = [...this.unsent].flatMap(([channel, said]) => [...said].map((word) => ({ channel, word })));
    this.unsent.clear();
    if (words.length === 0) return;
    const channels = words.map(({ channel }) => channel);
    const texts = words.map(({ word }) => word);
    await this.postgres
      .query(sql`SELECT pg_notify(channel, word) FROM unnest(${channels}::text[], ${texts}::text[]) AS said (channel, word)`)
      .catch((error: unknown) => this.logger.debug(`A word was not sent: ${String(error)}`));
  }

  private async connect(): Promise<void> {
    if (this.closed) return;
    const client = new Client({
      connectionString: this.url,
      application_name: 'sutazai listener',
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: CONNECT_MS,
      keepAlive: true,
    });
    client.on('error', () => this.lost(client));
    client.on('end', () => this.lost(client));
    client.on('notification', (notification) => this.heard(notification));
    this.client = client;
    try {
      await client.connect();
      for (const channel of this.listeners.keys()) await client.query(`LISTEN ${channel}`);
      this.failures = 0;
      this.checking = setInterval(() => void client.query('SELECT 1').catch(() => this.lost(client)), CHECK_MS);
      for (const listener of this.listeners.values()) listener.resumed();
    } catch (error) {
      if (this.failures === 0)
        this.logger.warn(`No word from other processes for now: ${error instanceof Error ? error.message : String(error)}`);
      this.lost(client);
    }
  }

  private heard({ channel, payload }: Notification): void {
    this.listeners.get(channel)?.hear(payload ?? '');
  }

  private lost(client: Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    clearInterval(this.checking);
    void client.end().catch(() => undefined);
    if (this.closed) return;
    this.retrying = setTimeout(() => void this.connect(), backoff(this.failures, RECONNECT));
    this.failures += 1;
  }
}
