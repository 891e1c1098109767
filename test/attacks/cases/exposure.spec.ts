import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MetricsServer } from '@backing/prometheus';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { openTeam, type Team } from '../kit';
import { pathTo } from '../matrix/path-ids';
import { listeners } from '../network/listeners';

/** What other products, and their tools, show at addresses of their own. */
const ELSEWHERE = [
  '/',
  '/config',
  '/api/config',
  '/api/v1/config',
  '/api/v1/settings',
  '/api/v1/features',
  '/api/tags',
  '/api/version',
  '/api/v1/version',
  '/metrics',
  '/env',
  '/.env',
  '/.git/config',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-protected-resource',
  '/package.json',
  '/server-status',
  '/actuator/env',
  '/debug/pprof',
  '/debug/vars',
  '/admin',
  '/graphql',
  '/swagger.json',
  '/openapi.json',
  '/api-docs',
  '/docs/oauth2-redirect.html',
  '/docs/swagger-ui-init.js',
  '/console',
  '/mcp',
  '/sse',
  '/messages',
  '/v1/responses',
  '/v1/files',
  '/api/v1/utils/markdown',
  '/api/v1/utils/pdf',
  '/api/v1/utils/code/format',
];

describe('what anybody may see', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let team: Team;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000' } });
    team = await openTeam(api);
  });
  afterAll(async () => {
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  it.each(['/livez', '/readyz', '/startupz'])('I05 %s says that it is there, and nothing else', async (path) => {
    expect((await api.get(path)).text).toBe('{"status":"ok"}');
  });

  it('I02, I05 /health says how it is, of which release, and since when', async () => {
    expect((await api.get('/health')).json).toEqual({
      status: expect.stringMatching(/^(?:ok|degraded)$/),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      uptime_seconds: expect.any(Number),
    });
  });

  it('I05 details of the services show states, no addresses, errors or releases', async () => {
    for (const path of ['/health/detailed', '/api/v1/health', '/api/v1/health/services/postgres']) {
      const { status, text } = await api.get(path);
      expect([path, status]).toEqual([path, 200]);
      expect(text).not.toMatch(/error|password|postgres(?:ql)?:\/\/|127\.0\.0\.1|localhost|\/tmp\/|version":"1[0-9]/i);
      team.expectClean(text);
    }
  });

  it('I02, I04 public routes show no secret and nothing of anybody', async () => {
    const open = api.app.get(RouteTable).routes.filter(({ marks, method }) => marks.access?.public === true && method === 'GET');
    expect(open.map(({ url }) => url).sort()).toEqual([
      '/docs',
      '/docs/assets/:name',
      '/docs/errors/:code',
      '/docs/openapi.json',
      '/health',
      '/livez',
      '/readyz',
      '/startupz',
    ]);
    for (const { url } of open) {
      const { text } = await api.get(pathTo(url, team.victim));
      // A library's script has words of its own.
      if (!url.includes('assets')) team.expectClean(text);
      expect(text).not.toMatch(/sk-[\w-]{20}|eyJ[\w-]+\.eyJ|\$argon2|BEGIN [A-Z ]*PRIVATE KEY/);
    }
  });

  it('I04 the OpenAPI document has no value of this server in it', async () => {
    const { text } = await api.get('/docs/openapi.json');
    for (const secret of [api.directory.secret('jwt'), api.directory.path, models, team.victim.workspace])
      expect(text).not.toContain(secret);
    expect(text).not.toMatch(/"servers"\s*:\s*\[\s*\{/);
  });

  it('I02 the figures have their own port, and count; they do not tell of anybody', async () => {
    const { port } = api.app.get(MetricsServer, { strict: false });
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toContain('http_requests');
    team.expectClean(text);
    for (const id of Object.values(team.victim)) expect(text).not.toContain(id);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}|@example\.org/);
  });

  it.each(ELSEWHERE)('I01, I02, I08 there is nothing at %s', async (path) => {
    for (const token of [undefined, team.actors.instanceAdmin.token]) {
      const { status, text } = await api.get(path, token);
      expect([path, status]).toEqual([path, 404]);
      team.expectClean(text);
    }
  });

  it('I08 no local tool server, and no other, listens', () => {
    expect(listeners()).toHaveLength(2);
    expect(api.app.get(RouteTable).routes.filter(({ url }) => /mcp|sse$|rpc/i.test(url))).toEqual([]);
  });
});
