// Guards between bytes and requests.
const spec = 'cases/raw-http';
const form = 'apps/api/src/http/request-form.ts';
const hooks = 'apps/api/src/http/hooks.ts';
const adapter = 'apps/api/src/http/http.adapter.ts';
const unreadable = 'apps/api/src/http/unreadable-request.ts';

module.exports = [
  { guard: 'http-parser', file: adapter, find: 'insecureHTTPParser: false', replace: 'insecureHTTPParser: true', spec, cases: ['K10'] },
  {
    guard: 'header-deadline',
    file: adapter,
    find: 'headersTimeout: HEADERS_MS',
    replace: 'headersTimeout: 0',
    spec,
    cases: ['K02'],
  },
  {
    guard: 'headers-once',
    file: form,
    find: 'if (seen.has(name)) return',
    replace: 'if (name === name.toUpperCase()) return',
    spec,
    cases: ['G13', 'K10'],
  },
  {
    guard: 'host-required',
    file: form,
    find: "if (!seen.has('host')) return",
    replace: 'if (seen.size > ONCE.size) return',
    spec,
    cases: ['G13'],
  },
  {
    guard: 'origin-form',
    file: form,
    find: "if (url?.startsWith('/') !== true && url !== '*') return",
    replace: "if (url === '') return",
    spec,
    cases: ['G13'],
  },
  {
    guard: 'transfer-encoding',
    file: form,
    find: 'if (encoding !== undefined && !/^chunked$/i.test(encoding)) return',
    replace: "if (encoding === '') return",
    spec,
    cases: ['K10'],
  },
  {
    guard: 'header-count',
    file: form,
    find: 'if (rawHeaders.length > MOST_HEADERS * 2) return',
    replace: 'if (rawHeaders.length < 0) return',
    spec,
    cases: ['K10'],
  },
  {
    guard: 'ambiguous-connection',
    file: form,
    find: 'if (fault !== undefined || request.headers.upgrade !== undefined) answer.shouldKeepAlive = false;',
    replace: '',
    spec,
    cases: ['K10', 'P01'],
  },
  {
    guard: 'continue-after-guard',
    file: hooks,
    find: "for (const event of ['checkContinue', 'checkExpectation'])",
    replace: 'for (const event of [])',
    spec,
    cases: ['K02'],
  },
  { guard: 'body-deadline', file: hooks, find: 'deadline.watch(request);', replace: '', spec, cases: ['K02'] },
  { guard: 'body-linger', file: hooks, find: 'deadline.release(reply);', replace: '', spec, cases: ['K02'] },
  {
    guard: 'answer-in-hand',
    file: unreadable,
    find: "error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)",
    replace: "error.code === 'ECONNRESET' || !socket.writable",
    spec,
    cases: ['Q02'],
  },
];
