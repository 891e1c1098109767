import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';

export interface StoredFingerprint {
  runtime: string;
  digest: string | null;
  vectors: Buffer;
}

/** Rows of embedding models' fingerprints. */
@Injectable()
export class FingerprintsRepository {
  constructor(private readonly client: PostgresClient) {}

  async find(model: string): Promise<StoredFingerprint | undefined> {
    const [row] = await this.client.query<StoredFingerprint>(
      sql`SELECT runtime, digest, vectors FROM space_fingerprints WHERE model = ${model}`,
    );
    return row;
  }

  /** Whoever is first stays. */
  async insert(model: string, { runtime, digest, vectors }: StoredFingerprint): Promise<void> {
    await this.client.query(
      sql`INSERT INTO space_fingerprints (model, runtime, digest, vectors) VALUES (${model}, ${runtime}, ${digest}, ${vectors})
          ON CONFLICT (model) DO NOTHING`,
    );
  }

  /** After the model is gone and nothing uses its space. */
  async remove(model: string): Promise<void> {
    await this.client.query(sql`DELETE FROM space_fingerprints WHERE model = ${model}`);
  }

  /** Whether vectors of this model are in the ledger. */
  async isUsed(model: string): Promise<boolean> {
    const rows = await this.client.query(
      sql`SELECT 1 FROM spaces s WHERE s.model = ${model} AND EXISTS (SELECT 1 FROM points p WHERE p.space_id = s.id)`,
    );
    return rows.length > 0;
  }
}
