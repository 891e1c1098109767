import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from '@backing/postgres';
import { loadScript } from '../scripts/load-script';
import { describeDatabases, openDatabase } from '../support/databases';

const { programs } = JSON.parse(readFileSync(join(__dirname, '..', '..', 'deploy', 'floors.json'), 'utf8')) as {
  programs: Record<string, { floor: string }>;
};

describeDatabases('The vectors of the database', (kind) => {
  it('are those of a pgvector at its floor or above', async () => {
    const { isAtLeast } = await loadScript<{ isAtLeast(version: string, floor: string): boolean }>('supply/versions.mjs');
    const database = await openDatabase(kind);
    try {
      const rows = await database.client.query<{ version: string }>(
        sql`SELECT extversion AS version FROM pg_extension WHERE extname = 'vector'`,
      );
      const version = rows[0]?.version ?? '0';
      expect([version, isAtLeast(version, programs.pgvector?.floor ?? '')]).toEqual([version, true]);
    } finally {
      await database.close();
    }
  });
});
