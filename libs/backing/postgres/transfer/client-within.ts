import type { PostgresClient } from '../postgres.client';
import type { Queryable } from '../queryable';

/** A client whose statements all run inside an open transaction, for stores that know only a client; a transaction of theirs is a part of it. */
export function clientWithin(connection: Queryable): PostgresClient {
  const client: Pick<PostgresClient, 'query' | 'transaction'> = {
    query: (statement) => connection.query(statement),
    transaction: (work) => work(connection),
  };
  return client as PostgresClient;
}
