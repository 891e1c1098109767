import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a copy of the lineage must hear of. The database itself notes each change in the transaction that makes it, whatever made it (a deletion that
 * takes others with it, the release before this one), and only while somebody keeps a copy. Every statement may run again.
 */
export class Lineage1764700000002 implements MigrationInterface {
  readonly name = 'Lineage1764700000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(NOTE);
    await runner.query(TRIGGERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION IF EXISTS graph_note() CASCADE; DROP TABLE graph_changes, graph_feed; DROP SEQUENCE graph_seq;
      DROP INDEX chat_messages_citations;`);
  }
}

const TABLES = `
CREATE SEQUENCE IF NOT EXISTS graph_seq;
-- The things that changed since the copy heard of them, each once: the table is never longer than the ledger and what was deleted meanwhile.
CREATE TABLE IF NOT EXISTS graph_changes (
  kind text NOT NULL CHECK (kind IN ('collection', 'document', 'session', 'answer')),
  id uuid NOT NULL,
  seq bigint NOT NULL DEFAULT nextval('graph_seq'),
  available_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS graph_changes_due ON graph_changes (available_at, seq);
-- One row while a copy is kept, or was: until when changes are noted, and how far the copying of everything has come.
CREATE TABLE IF NOT EXISTS graph_feed (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  -- Under which the copy holds what is of this database.
  ledger uuid NOT NULL,
  watched_until timestamptz NOT NULL,
  fill uuid NOT NULL,
  stage int NOT NULL DEFAULT 0,
  reached text NOT NULL DEFAULT ''
);
-- Who cites a document: asked for its lineage, and when it is deleted.
CREATE INDEX IF NOT EXISTS chat_messages_citations ON chat_messages USING gin (citations jsonb_path_ops);`;

const NOTE = `
CREATE OR REPLACE FUNCTION graph_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Who begins to watch waits for all who may not have seen it: see the repository of the changes.
  PERFORM pg_advisory_xact_lock_shared(1764700000002);
  INSERT INTO graph_changes (kind, id)
    SELECT TG_ARGV[0], CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END FROM graph_feed WHERE watched_until > clock_timestamp()
    -- Somebody may be at it: the number says that it is due again.
    ON CONFLICT (kind, id) DO UPDATE SET seq = nextval('graph_seq'), available_at = now();
  RETURN NULL;
END $$;`;

const OF = {
  collections: { kind: 'collection', columns: 'name', told: (row: string) => `left(${row}.name, 1) <> '~'`, shown: ['name'] },
  documents: {
    kind: 'document',
    columns: 'visible_version, name, collection_id',
    told: (row: string) => `${row}.visible_version IS NOT NULL`,
    shown: ['visible_version', 'name', 'collection_id'],
  },
  chat_messages: { kind: 'answer', columns: 'citations', told: (row: string) => `${row}.citations <> '[]'`, shown: ['citations'] },
};

const TRIGGERS = [
  ...Object.entries(OF).map(([table, { kind, columns, told, shown }]) => {
    const name = `graph_${kind}s`;
    const fires = `FOR EACH ROW WHEN`;
    const then = `EXECUTE FUNCTION graph_note('${kind}');`;
    const changed = shown.map((column) => `OLD.${column} IS DISTINCT FROM NEW.${column}`).join(' OR ');
    return `
DROP TRIGGER IF EXISTS ${name}_added ON ${table};
CREATE TRIGGER ${name}_added AFTER INSERT ON ${table} ${fires} (${told('NEW')}) ${then}
DROP TRIGGER IF EXISTS ${name}_changed ON ${table};
CREATE TRIGGER ${name}_changed AFTER UPDATE OF ${columns} ON ${table} ${fires} ((${told('OLD')} OR ${told('NEW')}) AND (${changed})) ${then}
DROP TRIGGER IF EXISTS ${name}_deleted ON ${table};
CREATE TRIGGER ${name}_deleted AFTER DELETE ON ${table} ${fires} (${told('OLD')}) ${then}`;
  }),
  `
DROP TRIGGER IF EXISTS graph_sessions_changed ON chat_sessions;
CREATE TRIGGER graph_sessions_changed AFTER UPDATE OF visibility ON chat_sessions FOR EACH ROW WHEN (OLD.visibility <> NEW.visibility)
  EXECUTE FUNCTION graph_note('session');`,
].join('\n');
