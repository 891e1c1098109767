import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Teams: invitations, password resets, service users behind workspace keys, people who can be deleted, and the audit log. */
export class Members1764600000001 implements MigrationInterface {
  readonly name = 'Members1764600000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(PEOPLE);
    await runner.query(TOKENS);
    await runner.query(AUDIT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_entries, password_resets, invitations;
      DROP FUNCTION audit_entries_keep();
      ALTER TABLE api_keys DROP COLUMN made_by; ALTER TABLE users DROP COLUMN kind, DROP COLUMN version;
      ALTER TABLE memberships DROP COLUMN version; ALTER TABLE workspaces DROP COLUMN version, DROP COLUMN deleted_at;`);
  }
}

const PEOPLE = `
-- A service user stands behind each key that belongs to a workspace: nobody can sign in as one, and no membership is theirs.
ALTER TABLE users ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service'));
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_status_check;
ALTER TABLE users ADD CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended', 'deleted'));
ALTER TABLE logins DROP CONSTRAINT IF EXISTS logins_revoked_for_check;
ALTER TABLE logins ADD CONSTRAINT logins_revoked_for_check
  CHECK (revoked_for IN ('logout', 'reuse', 'password', 'suspended', 'removed', 'deleted'));
ALTER TABLE users ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;
ALTER TABLE memberships ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;
ALTER TABLE workspaces ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;
-- Set: nobody is a member any more, and what is left is being removed.
ALTER TABLE workspaces ADD COLUMN IF NOT EXISTS deleted_at timestamptz;
-- Whose rights bound the key. Null: its owner's (a key of a person's own).
ALTER TABLE api_keys ADD COLUMN IF NOT EXISTS made_by uuid REFERENCES users (id) ON DELETE CASCADE;`;

const TOKENS = `
CREATE TABLE IF NOT EXISTS invitations (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
  token_hash bytea NOT NULL UNIQUE,
  invited_by uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX IF NOT EXISTS invitations_page ON invitations (workspace_id, id);
CREATE TABLE IF NOT EXISTS password_resets (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash bytea NOT NULL UNIQUE,
  -- Null: issued on the machine itself.
  issued_by uuid REFERENCES users (id) ON DELETE SET NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX IF NOT EXISTS password_resets_user ON password_resets (user_id);`;

const AUDIT = `
-- No foreign keys: an entry outlives what it tells of.
CREATE TABLE IF NOT EXISTS audit_entries (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Null: concerns the whole instance.
  workspace_id uuid,
  -- Null: nobody who had proved who they are.
  actor_id uuid,
  key_id uuid,
  action text NOT NULL,
  subject_kind text,
  subject_id text,
  details jsonb NOT NULL DEFAULT '{}',
  address text,
  request_id text
);
CREATE INDEX IF NOT EXISTS audit_entries_workspace ON audit_entries (workspace_id, id);
CREATE OR REPLACE FUNCTION audit_entries_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Only retention may delete, and says so in its own transaction.
  IF TG_OP = 'DELETE' AND current_setting('sutazai.audit_retention', true) = 'on' THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'audit entries are only ever added';
END $$;
DROP TRIGGER IF EXISTS audit_entries_append_only ON audit_entries;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_entries_keep();
DROP TRIGGER IF EXISTS audit_entries_no_truncate ON audit_entries;
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_keep();`;
