import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataDirectory } from '@backing/data-directory';
import { InProcessTransport } from '@backing/in-process';
import { PostgresClient, sql } from '@backing/postgres';
import { AdaptersModule } from '@features/adapters';
import { Models, type UsageAccount } from '@features/models';
import {
  CollectionCatalogue,
  CollectionRemains,
  Collections,
  Points,
  PointSearch,
  Search,
  UserPoints,
  VectorsModule,
  type Collection,
  type NewPoint,
  type Passage,
  type SentPoint,
  type WantedCollection,
} from '@features/vectors';
import type { Principal } from '@kernel/identity';
import { AppConfig, parseConfig } from '@kernel/config';
import { JobTransport } from '@kernel/jobs';
import { VectorStores, type VectorStore } from '@kernel/vectors';
import { v5, v7 } from 'uuid';
import { newDatabase, type DatabaseKind } from './databases';
import { EMBEDDING, modelSettings } from './models';

export interface SeededDocument {
  id: string;
  chunks: string[];
}

/** The vectors feature over a new database with the real embedding model, and documents written straight into the ledger. */
export class TestVectors {
  readonly client: PostgresClient;
  readonly collections: Collections;
  readonly points: Points;
  readonly search: Search;
  readonly store: VectorStore;
  readonly models: Models;
  readonly catalogue: CollectionCatalogue;
  readonly remains: CollectionRemains;
  readonly userPoints: UserPoints;
  readonly pointSearch: PointSearch;

  private constructor(
    get: <T>(type: abstract new (...parameters: never[]) => T) => T,
    readonly account: UsageAccount,
    readonly close: () => Promise<void>,
  ) {
    this.client = get(PostgresClient);
    this.collections = get(Collections);
    this.points = get(Points);
    this.search = get(Search);
    this.store = get(VectorStores).usual;
    this.models = get(Models);
    this.catalogue = get(CollectionCatalogue);
    this.remains = get(CollectionRemains);
    this.userPoints = get(UserPoints);
    this.pointSearch = get(PointSearch);
  }

  static async open(kind: DatabaseKind): Promise<TestVectors> {
    const place = await newDatabase(kind);
    const config: AppConfig = {
      ...parseConfig({}),
      ...modelSettings(),
      directory: place.directory,
      database: { url: place.url, poolSize: 4, poolOverflow: 8, migrate: 'auto' },
    };
    @Global()
    @Module({
      providers: [
        { provide: AppConfig, useValue: config },
        { provide: DataDirectory, useValue: { instanceId: 'vectors' } },
        // No job is accepted here.
        { provide: JobTransport, useValue: new InProcessTransport({}) },
      ],
      exports: [AppConfig, DataDirectory, JobTransport],
    })
    class GroundModule {}
    const module = await Test.createTestingModule({ imports: [GroundModule, AdaptersModule, VectorsModule] }).compile();
    const get = <T>(type: abstract new (...parameters: never[]) => T): T => module.get(type, { strict: false });
    const account = { workspaceId: v7(), userId: v7(), apiKeyId: null, jobId: null };
    const client = get(PostgresClient);
    await client.query(
      sql`INSERT INTO users (id, email, password_hash) VALUES (${account.userId}, ${`${account.userId}@example.org`}, 'x')`,
    );
    await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${account.workspaceId}, 'w', ${account.userId})`);
    return new TestVectors(get, account, async () => {
      await module.close();
      await place.drop();
    });
  }

  /** A new collection, or the one of that name as it is now. */
  async collection(name: string): Promise<Collection> {
    const { workspaceId, userId } = this.account;
    await this.client.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}, ${workspaceId}, ${userId}, ${name}) ON CONFLICT DO NOTHING`,
    );
    const [collection] = await this.collections.resolve(workspaceId, [name]);
    if (collection === undefined) throw new Error('The collection was not made.');
    return collection;
  }

  /** A new collection as a user makes it. */
  async make(wanted: WantedCollection): Promise<Collection> {
    const { workspaceId, userId } = this.account;
    await this.catalogue.create({ workspaceId, userId } as Principal, wanted);
    return this.collections.named(workspaceId, wanted.name);
  }

  put(collection: Collection, points: SentPoint[]): Promise<string[]> {
    return this.userPoints.put(collection, points, this.account, new AbortController().signal);
  }

  /** A document whose chunks are these texts; `visible: false` leaves it as an ingest does before its end. */
  async add(
    collection: Collection,
    chunks: string[],
    { language = 'en', visible = true, status }: { language?: string; visible?: boolean; status?: string } = {},
  ): Promise<SeededDocument> {
    const { workspaceId, userId: ownerId } = this.account;
    const id = v7();
    const space = await this.collections.spaceFor(collection, await this.models.resolve('embedding'));
    const text = chunks.join('\n');
    await this.client.query(
      sql`INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, media_type, bytes, sha256, status, language)
          VALUES (${id}, ${workspaceId}, ${ownerId}, ${collection.id}, ${`${id}.txt`}, 'text/plain', ${text.length}, ${id}, 'ingesting', ${language})`,
    );
    const points = await this.embedded(chunks, id, language);
    for (let at = 0; at < points.length; at += 32) {
      const batch = points.slice(at, at + 32);
      const owner = { workspaceId, ownerId, collectionId: collection.id, documentId: id, documentVersion: 1 };
      await this.client.transaction((connection) => this.points.record(connection, space, owner, batch));
      await this.points.publish(
        space,
        batch.map((point) => point.id),
      );
    }
    const totals = await this.points.totals(this.client, id, 1);
    await this.client.query(
      sql`UPDATE documents SET status = ${status ?? (visible ? 'ready' : 'ingesting')}, visible_version = ${visible ? 1 : null}, chunks = ${totals.chunks}, lexemes = ${totals.lexemes} WHERE id = ${id}`,
    );
    return { id, chunks: points.map((point) => point.id) };
  }

  /** Searches as the first page of an answer would. */
  async find(names: string[], query: string, limit = 10): Promise<Passage[]> {
    const collections = await this.collections.resolve(this.account.workspaceId, names);
    return this.search.search({ collections, query, limit, signal: new AbortController().signal, account: this.account });
  }

  private async embedded(chunks: string[], id: string, language: string): Promise<NewPoint[]> {
    const { vectors } = await this.models.embed(
      { model: EMBEDDING, texts: chunks, input: 'document', signal: new AbortController().signal },
      this.account,
    );
    let start = 0;
    return chunks.map((text, ordinal) => {
      const vector = vectors[ordinal];
      if (vector === undefined) throw new Error('The model answered too few vectors.');
      const point: NewPoint = {
        id: v5(`1/${ordinal}`, id),
        kind: 'chunk',
        ordinal,
        page: null,
        start,
        end: start + text.length,
        heading: null,
        text,
        tokens: 1,
        language,
        vector,
      };
      start += text.length + 1;
      return point;
    });
  }
}
