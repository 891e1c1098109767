/** The ledger: collections, documents, points with their input vectors; every store can be rebuilt from it. */
export const LEDGER = `
CREATE TABLE spaces (
  id uuid PRIMARY KEY,
  store text NOT NULL,
  model text,
  dimensions int NOT NULL CHECK (dimensions BETWEEN 1 AND 4096),
  metric text NOT NULL CHECK (metric IN ('cosine', 'dot', 'l2')),
  version int NOT NULL,
  physical_name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX spaces_identity ON spaces (store, coalesce(model, ''), dimensions, metric, version);
-- A collection's name is an alias to its space: moving it to another store or model changes space_id only.
CREATE TABLE collections (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  name text NOT NULL,
  space_id uuid REFERENCES spaces (id),
  language text,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (workspace_id, name)
);
CREATE TABLE documents (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  owner_id uuid NOT NULL REFERENCES users (id),
  collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  name text NOT NULL,
  external_id text,
  media_type text NOT NULL,
  bytes bigint NOT NULL,
  sha256 text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'ingesting', 'ready', 'failed')),
  error jsonb,
  language text,
  pages int,
  chunks int NOT NULL DEFAULT 0,
  lexemes bigint NOT NULL DEFAULT 0,
  -- The version being ingested, and the one that searches see (null: none yet).
  version int NOT NULL DEFAULT 1,
  visible_version int,
  -- The version under which the original is stored: another try reads the same bytes under a new version.
  content_version int NOT NULL DEFAULT 1,
  metadata jsonb NOT NULL DEFAULT '{}',
  job_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX documents_page ON documents (workspace_id, id);
CREATE INDEX documents_collection ON documents (collection_id, id);
-- The same bytes once in a collection, unless the earlier try failed.
CREATE UNIQUE INDEX documents_content ON documents (collection_id, sha256) WHERE status <> 'failed';
CREATE UNIQUE INDEX documents_external ON documents (collection_id, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE points (
  collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  id text NOT NULL,
  physical_id uuid NOT NULL UNIQUE,
  space_id uuid NOT NULL REFERENCES spaces (id),
  workspace_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  -- Set for chunks of a document; such a point is visible while the document's visible_version is this one. No foreign key: a deleted document
  -- disappears with its row, and its points are what is still to be removed from the store.
  document_id uuid,
  document_version int,
  -- chunk: a passage; overview: title, headings and opening of the whole document.
  kind text NOT NULL DEFAULT 'point' CHECK (kind IN ('point', 'chunk', 'overview')),
  ordinal int,
  page int,
  -- UTF-16 code units of the extracted text; text is exactly that slice.
  start_offset int,
  end_offset int,
  heading text,
  text text,
  tokens int,
  language text,
  lexemes tsvector,
  lexeme_count int NOT NULL DEFAULT 0,
  metadata jsonb NOT NULL DEFAULT '{}',
  -- The input vector, float32 little-endian, and its hash.
  vector bytea NOT NULL,
  vector_sha256 bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (collection_id, id)
);
CREATE UNIQUE INDEX points_document ON points (document_id, document_version, kind, ordinal);
CREATE INDEX points_lexemes ON points USING gin (lexemes);
CREATE TABLE blobs (
  key text PRIMARY KEY,
  -- Which parts are its content: a new content is written aside and takes over in one step.
  content_id uuid NOT NULL UNIQUE,
  bytes bigint NOT NULL,
  sha256 text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE blob_parts (
  content_id uuid NOT NULL,
  part int NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (content_id, part)
);`;
