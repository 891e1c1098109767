import { readsOnly } from './read-only';

it.each([
  'SELECT 1',
  '  select id from jobs where kind = $1',
  "SELECT 'please delete this' AS text",
  'WITH recent AS (SELECT id FROM jobs) SELECT * FROM recent -- no update here',
  'SELECT created_at, updated_at, deleted FROM documents',
])('%s only reads', (text) => {
  expect(readsOnly(text)).toBe(true);
});

it.each([
  'INSERT INTO users (id) VALUES ($1)',
  'WITH due AS (SELECT id FROM jobs FOR UPDATE) SELECT * FROM due',
  'WITH gone AS (DELETE FROM blobs RETURNING id) SELECT count(*) FROM gone',
  'SELECT pg_advisory_xact_lock($1)',
  "SELECT nextval('s')",
  'SELECT id FROM jobs FOR NO KEY UPDATE SKIP LOCKED',
  'SELECT id FROM jobs FOR SHARE',
  'SELECT * INTO copy_of_jobs FROM jobs',
  'START TRANSACTION',
])('%s is more than a question', (text) => {
  expect(readsOnly(text)).toBe(false);
});
