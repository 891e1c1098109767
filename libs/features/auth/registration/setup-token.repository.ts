import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';

/** The hash of the setup token: one row of `instance_secrets`. */
@Injectable()
export class SetupTokenRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async replace(hash: Buffer): Promise<void> {
    await this.postgres.query(
      sql`INSERT INTO instance_secrets (name, secret_hash) VALUES ('setup_token', ${hash}) ON CONFLICT (name) DO UPDATE SET secret_hash = excluded.secret_hash`,
    );
  }

  /** False when the database has one already. */
  async insert(hash: Buffer): Promise<boolean> {
    const rows = await this.postgres.query(
      sql`INSERT INTO instance_secrets (name, secret_hash) VALUES ('setup_token', ${hash}) ON CONFLICT (name) DO NOTHING RETURNING name`,
    );
    return rows.length === 1;
  }

  async findHash(): Promise<Buffer | undefined> {
    const rows = await this.postgres.query<{ secret_hash: Buffer }>(
      sql`SELECT secret_hash FROM instance_secrets WHERE name = 'setup_token'`,
    );
    return rows[0]?.secret_hash;
  }

  async remove(connection: Queryable): Promise<void> {
    await connection.query(sql`DELETE FROM instance_secrets WHERE name = 'setup_token'`);
  }
}
