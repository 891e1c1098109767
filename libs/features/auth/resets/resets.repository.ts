import { Injectable } from '@nestjs/common';
import { sql, type Queryable } from '@backing/postgres';

const OPEN = sql`used_at IS NULL AND expires_at > now()`;

/** Password resets by the database's clock; a token is known by its hash alone. */
@Injectable()
export class ResetsRepository {
  /** The person with this id or e-mail who could reset a password. */
  async findPerson(connection: Queryable, who: { id: string } | { email: string }): Promise<string | undefined> {
    const rows = await connection.query<{ id: string }>(
      sql`SELECT id FROM users WHERE ${'id' in who ? sql`id = ${who.id}::uuid` : sql`email = ${who.email}`} AND kind = 'person' AND status <> 'deleted'`,
    );
    return rows[0]?.id;
  }

  async insert(
    connection: Queryable,
    reset: { id: string; userId: string; issuedBy: string | null },
    token: { hash: Buffer; seconds: number },
  ): Promise<Date> {
    const rows = await connection.query<{ expires_at: Date }>(
      sql`INSERT INTO password_resets (id, user_id, token_hash, issued_by, expires_at)
          VALUES (${reset.id}::uuid, ${reset.userId}::uuid, ${token.hash}, ${reset.issuedBy}::uuid, now() + make_interval(secs => ${token.seconds}))
          RETURNING expires_at`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('The insert of a reset answered no row.');
    return row.expires_at;
  }

  /** Ends what was issued for a person and not used. */
  async endOpen(connection: Queryable, userId: string): Promise<void> {
    await connection.query(sql`UPDATE password_resets SET used_at = now() WHERE user_id = ${userId}::uuid AND used_at IS NULL`);
  }

  /** Uses a token up and answers whose it is: exactly one of several callers gets the person. */
  async take(connection: Queryable, hash: Buffer): Promise<string | undefined> {
    const rows = await connection.query<{ user_id: string }>(
      sql`UPDATE password_resets SET used_at = now() WHERE token_hash = ${hash} AND ${OPEN} RETURNING user_id`,
    );
    return rows[0]?.user_id;
  }
}
