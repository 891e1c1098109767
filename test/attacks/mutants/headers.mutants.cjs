// Headers of every answer.
const spec = 'cases/golden-headers';

module.exports = [
  {
    guard: 'response-headers',
    file: 'apps/api/src/http/hooks.ts',
    find: 'setResponseHeaders(common, request, reply);',
    replace: "reply.raw.setHeader('x-request-id', request.id);",
    spec,
    cases: ['Q01', 'H07'],
  },
  {
    guard: 'hsts',
    file: 'apps/api/src/http/response-headers.ts',
    find: "http.publicUrl.startsWith('https:')",
    replace: "http.publicUrl === ''",
    spec,
    cases: ['Q01'],
  },
  {
    guard: 'metrics-host',
    file: 'libs/backing/prometheus/metrics-server.service.ts',
    find: 'return !loopback || publicHosts',
    replace: 'return loopback || publicHosts',
    spec,
    cases: ['Q01'],
  },
];
