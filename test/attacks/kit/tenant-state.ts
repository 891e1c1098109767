import { type PostgresClient, join, raw, sql } from '@backing/postgres';

export interface TableState {
  rows: number;
  hash: string;
}

interface ForeignKey {
  child: string;
  column: string;
  parent: string;
}

/** Tables by how their rows belong to a workspace: a column of their own, or a parent that has one. */
const ROOTS: Record<string, string> = {
  workspaces: 'id = $W',
  users: 'id IN (SELECT user_id FROM memberships WHERE workspace_id = $W)',
};

/** Numbers that are given out and mean nothing to anybody: an upload that is refused has used one up. */
const COUNTERS = ['content_seq'];

/**
 * The rows of one workspace as a hash for each table, to be compared before and after an attack. Tables are found in the catalogue, so that a new one is
 * looked at without being named here: those with `workspace_id`, and those that refer to one of these.
 */
export async function tenantState(
  database: Pick<PostgresClient, 'query'>,
  workspaceId: string,
  { except = [] }: { except?: string[] } = {},
): Promise<Record<string, TableState>> {
  const conditions = await belonging(database);
  const tables = [...conditions].filter(([table]) => !except.includes(table)).sort(([one], [other]) => one.localeCompare(other));
  const parts = tables.map(
    ([table, condition]) =>
      sql`SELECT ${table}::text AS "table", count(*)::int AS rows, coalesce(md5(string_agg(r.hash, '' ORDER BY r.hash)), '') AS hash
          FROM ${raw(table)} t, LATERAL (SELECT md5((to_jsonb(t) - ${COUNTERS}::text[])::text) AS hash) r WHERE ${raw(condition.replaceAll('$W', `'${checked(workspaceId)}'::uuid`))}`,
  );
  const rows = await database.query<TableState & { table: string }>(sql`${join(parts, ' UNION ALL ')}`);
  return Object.fromEntries(rows.map(({ table, rows: count, hash }) => [table, { rows: count, hash }]));
}

async function belonging(database: Pick<PostgresClient, 'query'>): Promise<Map<string, string>> {
  const own = await database.query<{ table: string }>(
    sql`SELECT table_name AS "table" FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'workspace_id'`,
  );
  const conditions = new Map([...own.map(({ table }) => [table, 'workspace_id = $W'] as const), ...Object.entries(ROOTS)]);
  const keys = await database.query<ForeignKey>(
    sql`SELECT c.conrelid::regclass::text AS child, a.attname AS "column", c.confrelid::regclass::text AS parent
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND array_length(c.conkey, 1) = 1 AND c.confdeltype = 'c' ORDER BY 1, 2`,
  );
  for (let found = true; found; ) {
    found = false;
    for (const { child, column, parent } of keys) {
      const condition = conditions.get(parent);
      if (condition === undefined || conditions.has(child)) continue;
      conditions.set(child, `${column} IN (SELECT id FROM ${parent} WHERE ${condition})`);
      found = true;
    }
  }
  return conditions;
}

function checked(workspaceId: string): string {
  if (!/^[0-9a-f-]{36}$/.test(workspaceId)) throw new Error(`"${workspaceId}" is no id.`);
  return workspaceId;
}
