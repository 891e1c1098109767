import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';

/** Tokens of one key today (UTC). */
export interface BudgetState {
  limit: number;
  used: number;
  /** Held by calls that run. */
  reserved: number;
}

export interface Reservation {
  id: string;
  apiKeyId: string;
  /** `YYYY-MM-DD`: the day that pays, also when the call ends on the next. */
  day: string;
  tokens: number;
}

const TODAY = sql`(now() AT TIME ZONE 'UTC')::date`;

/** The ledger of token budgets. One row for each key and day is the only place where its tokens are counted, so that its lock orders all calls. */
@Injectable()
export class BudgetsRepository {
  constructor(private readonly client: PostgresClient) {}

  /** Keys without a budget are left out. Reservations of dead processes still count: release them first. */
  async states(apiKeyIds: string[]): Promise<Map<string, BudgetState>> {
    const rows = await this.client.query<{ id: string; limit: number; used: number; reserved: number }>(
      sql`SELECT k.id, k.tokens_per_day::float8 AS limit, coalesce(b.used, 0)::float8 AS used, coalesce(b.reserved, 0)::float8 AS reserved
          FROM api_keys k LEFT JOIN token_budgets b ON b.api_key_id = k.id AND b.day = ${TODAY}
          WHERE k.id = ANY(${apiKeyIds}::uuid[]) AND k.tokens_per_day IS NOT NULL`,
    );
    return new Map(rows.map(({ id, limit, used, reserved }) => [id, { limit, used, reserved }]));
  }

  /** Takes the tokens when they are left; undefined when they are not. One statement: what it checks is what it changes. */
  async reserve(id: string, apiKeyId: string, tokens: number, leaseMs: number): Promise<Reservation | undefined> {
    const rows = await this.client.query<{ day: string }>(
      sql`WITH budget AS (
            SELECT id, tokens_per_day FROM api_keys WHERE id = ${apiKeyId}::uuid AND tokens_per_day IS NOT NULL
          ), taken AS (
            INSERT INTO token_budgets (api_key_id, day, reserved)
            SELECT id, ${TODAY}, ${tokens}::bigint FROM budget WHERE ${tokens}::bigint <= tokens_per_day
            ON CONFLICT (api_key_id, day) DO UPDATE SET reserved = token_budgets.reserved + excluded.reserved
              WHERE token_budgets.used + token_budgets.reserved + excluded.reserved <= (SELECT tokens_per_day FROM budget)
            RETURNING api_key_id, day
          )
          INSERT INTO token_reservations (id, api_key_id, day, tokens, lease_until)
          SELECT ${id}::uuid, api_key_id, day, ${tokens}::bigint, now() + ${leaseMs} * interval '1 millisecond' FROM taken
          RETURNING day::text AS day`,
    );
    return rows[0] && { id, apiKeyId, tokens, day: rows[0].day };
  }

  /** Turns a reservation into what was really used; one that has expired meanwhile is paid all the same. */
  async settle({ id, apiKeyId, day }: Reservation, used: number): Promise<void> {
    await this.client.transaction(async (connection) => {
      const gone = await connection.query<{ tokens: number }>(
        sql`DELETE FROM token_reservations WHERE id = ${id}::uuid RETURNING tokens::float8 AS tokens`,
      );
      await connection.query(
        sql`UPDATE token_budgets SET used = used + ${used}::bigint, reserved = reserved - ${gone[0]?.tokens ?? 0}::bigint
            WHERE api_key_id = ${apiKeyId}::uuid AND day = ${day}::date`,
      );
    });
  }

  async extend(ids: string[], leaseMs: number): Promise<void> {
    await this.client.query(
      sql`UPDATE token_reservations SET lease_until = now() + ${leaseMs} * interval '1 millisecond' WHERE id = ANY(${ids}::uuid[])`,
    );
  }

  /** Gives back what dead processes held of these keys; true when there was anything. */
  async releaseExpired(apiKeyIds: string[]): Promise<boolean> {
    return this.client.transaction(async (connection) => {
      const gone = await connection.query<{ api_key_id: string; day: string; tokens: number }>(
        sql`WITH gone AS (
              DELETE FROM token_reservations WHERE api_key_id = ANY(${apiKeyIds}::uuid[]) AND lease_until < now() RETURNING api_key_id, day, tokens
            )
            SELECT api_key_id, day::text AS day, sum(tokens)::float8 AS tokens FROM gone GROUP BY api_key_id, day ORDER BY api_key_id, day`,
      );
      for (const { api_key_id: apiKeyId, day, tokens } of gone) {
        await connection.query(
          sql`UPDATE token_budgets SET reserved = reserved - ${tokens}::bigint WHERE api_key_id = ${apiKeyId}::uuid AND day = ${day}::date`,
        );
      }
      return gone.length > 0;
    });
  }
}
