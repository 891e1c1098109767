// What the rounds send: each route with a body that bears the round's mark, and the statement that counts what came of it.
const counting = (from) => `SELECT count(*)::int AS n FROM ${from}`;
const named = (table) => counting(`${table} WHERE name = $1`);
const ingested = (condition) => counting(`documents d JOIN jobs j ON j.subject_id = d.id WHERE ${condition}`);

export const ROUTES = [
  { path: '/api/v1/chat/sessions', body: (mark) => ({ title: mark }), count: counting('chat_sessions WHERE title = $1') },
  {
    path: '/api/v1/documents',
    body: (mark) => form(`Text of ${mark}.`),
    count: ingested("d.sha256 = encode(sha256(convert_to('Text of ' || $1 || '.', 'UTF8')), 'hex')"),
  },
  { path: '/api/v1/documents', body: (mark) => ({ name: mark, text: `A text for ${mark}.` }), count: ingested('d.name = $1') },
  { path: '/api/v1/agents', body: (mark) => ({ name: mark, instructions: 'x' }), count: named('agents') },
  { path: '/api/v1/auth/keys', body: (mark) => ({ name: mark, scopes: ['chat'] }), count: named('api_keys'), secret: true },
  { path: '/api/v1/vectors/collections', body: (mark) => ({ name: mark, dimensions: 3 }), count: named('collections') },
  { path: '/api/v1/workspaces', body: (mark) => ({ name: mark }), count: named('workspaces') },
];

function form(text) {
  const made = new FormData();
  made.append('file', new Blob([text]), 'race.txt');
  return made;
}
