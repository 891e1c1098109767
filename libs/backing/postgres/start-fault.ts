import { AppError } from '@kernel/errors';
import type { DataSource } from 'typeorm';
import { connectionFault, sqlState } from './postgres.error';

const LEAST_VERSION = 160_000;

interface ServerState {
  version: number;
  version_text: string;
  installed: boolean;
  available: boolean;
  allowed: boolean;
  connections: number;
}

/** Why the server that DATABASE_URL names cannot be used, in one sentence without the URL's secrets; undefined for an error that says it itself. */
export function startFault(error: unknown, url: string): AppError | undefined {
  const { code = '' } = sqlState(error);
  const { user, database, place } = partsOf(url);
  const said: Record<string, string> = {
    '28P01': `the server at ${place} refuses the user "${user}" with this password`,
    '28000': `the server at ${place} does not let the user "${user}" in`,
    '3D000': `the server at ${place} has no database "${database}"`,
    '42501': `the user "${user}" may not make tables in the database "${database}" at ${place}`,
    '53300': `the server at ${place} has no connection left`,
  };
  const fault = connectionFault(error);
  const reason = /ECONN\w+|E?NOTFOUND|EAI_\w+|EHOST\w+|ENET\w+|ETIMEDOUT/.exec(`${code} ${messageOf(error)}`)?.[0];
  const sentence = said[code] ?? (fault && `no PostgreSQL answers at ${place}${reason === undefined ? '' : ` (${reason})`}`);
  return sentence === undefined ? undefined : new AppError('unavailable', `DATABASE_URL: ${sentence}.`, { cause: error });
}

/** What the product needs of the server: PostgreSQL 16, the extension `vector`, connections for the whole pool. Errors: `unavailable`, one sentence. */
export async function assertUsable(source: DataSource, url: string, connections: number): Promise<void> {
  const [state] = await source.query<ServerState[]>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') AS installed,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS available,
       has_database_privilege(current_database(), 'CREATE') AS allowed,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int AS connections`,
  );
  if (state === undefined) return;
  const { place, database, user } = partsOf(url);
  const refuse = (sentence: string): never => {
    throw new AppError('unavailable', `DATABASE_URL: ${sentence}`);
  };
  if (state.version < LEAST_VERSION)
    refuse(`the server at ${place} is PostgreSQL ${state.version_text}, and this release needs 16 or newer.`);
  if (!state.installed && !state.available)
    refuse(`the server at ${place} lacks the extension "vector" (pgvector): install it there first.`);
  if (!state.installed && !state.allowed)
    refuse(`the extension "vector" is not in the database "${database}", and the user "${user}" may not create it there.`);
  if (state.connections < connections)
    refuse(
      `the server at ${place} has ${state.connections} connections for users (max_connections), and DATABASE_POOL_SIZE + DATABASE_POOL_OVERFLOW are ${connections}.`,
    );
}

function partsOf(url: string): { user: string; database: string; place: string } {
  const { username, pathname, hostname, port } = new URL(url);
  return { user: decodeURIComponent(username), database: decodeURIComponent(pathname.slice(1)), place: `${hostname}:${port || '5432'}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
