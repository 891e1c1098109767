// Guards that keep secrets out of what others may read.
module.exports = [
  {
    guard: 'log-allow-list',
    file: 'libs/kernel/log/log-fields.ts',
    find: 'for (const name of LOGGED_FIELDS) {',
    replace: 'Object.assign(fields, source);\n  for (const name of LOGGED_FIELDS) {',
    spec: 'cases/secrets',
    cases: ['N01'],
  },
  {
    guard: 'log-route-not-url',
    file: 'apps/api/src/http/hooks.ts',
    find: "const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');",
    replace: 'const route = request.url;',
    spec: 'cases/secrets',
    cases: ['N01'],
  },
  {
    guard: 'request-id-form',
    file: 'apps/api/src/http/http.adapter.ts',
    find: "typeof given === 'string' && REQUEST_ID.test(given)",
    replace: "typeof given === 'string'",
    spec: 'cases/secrets',
    cases: ['N01'],
  },
];
