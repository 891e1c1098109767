import { PostgresClient, sql } from '@backing/postgres';
import { SCOPES, type Scope } from '@kernel/identity';
import { type Route, RouteTable } from '../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../support/api';

/** What anybody may call. A route that is to join them is added here by hand, and read twice. */
const PUBLIC = [
  'GET /livez',
  'GET /readyz',
  'GET /startupz',
  'GET /health',
  'GET /docs',
  'GET /docs/openapi.json',
  'GET /docs/assets/:name',
  'GET /docs/errors/:code',
  'POST /api/v1/auth/register',
  'POST /api/v1/auth/login',
  'POST /api/v1/auth/refresh',
  'POST /api/v1/auth/accept',
];
/** Open while the server listens on loopback alone. */
const PUBLIC_ON_LOOPBACK = ['GET /health/detailed', 'GET /api/v1/health', 'GET /api/v1/health/services/:name'];
/** Open to whoever proved who they are, with any scope. */
const ANY_SCOPE = [
  ...PUBLIC_ON_LOOPBACK,
  'GET /api/v1/auth/me',
  'POST /api/v1/auth/logout',
  'POST /api/v1/auth/switch',
  'POST /api/v1/auth/password',
  'POST /api/v1/workspaces',
  'GET /api/v1/workspaces',
  'GET /api/v1/workspaces/:id',
  'PATCH /api/v1/workspaces/:id',
  'DELETE /api/v1/workspaces/:id',
  'POST /api/v1/workspaces/:id/members',
  'GET /api/v1/workspaces/:id/members',
  'GET /api/v1/workspaces/:id/members/:user',
  'PATCH /api/v1/workspaces/:id/members/:user',
  'DELETE /api/v1/workspaces/:id/members/:user',
  'GET /api/v1/workspaces/:id/invitations',
  'DELETE /api/v1/workspaces/:id/invitations/:invitation',
  'GET /api/v1/users',
  'GET /api/v1/users/:id',
  'PATCH /api/v1/users/:id',
  'DELETE /api/v1/users/:id',
  'POST /api/v1/users/:id/reset',
  'GET /api/v1/auth/keys',
  'POST /api/v1/auth/keys',
  'DELETE /api/v1/auth/keys/:id',
  'GET /api/v1/usage',
];

/** Take no `Idempotency-Key`: they read, or repeating them changes nothing more, or they hand out tokens of a login. */
const MAKE_NOTHING = [
  'POST /api/v1/auth/logout',
  'POST /api/v1/auth/switch',
  'POST /api/v1/auth/password',
  'POST /api/v1/chat/sessions/:id/messages/:message/feedback',
  'POST /api/v1/jobs/:id/cancel',
  'POST /api/v1/search',
  'POST /api/v1/vectors/collections/:name/points/count',
  'POST /api/v1/vectors/collections/:name/points/delete',
  'POST /api/v1/vectors/collections/:name/points/get',
  'POST /api/v1/vectors/collections/:name/points/scroll',
  'POST /api/v1/vectors/collections/:name/search',
  // Stateless: they make nothing but an answer.
  'POST /v1/chat/completions',
  'POST /v1/completions',
  'POST /v1/embeddings',
];

const name = ({ method, url }: Route): string => `${method === 'HEAD' ? 'GET' : method} ${url}`;
const pathOf = ({ url }: Route): string => url.replaceAll(/:[A-Za-z]+/g, '0197a5b0-0000-7000-8000-000000000000');

describe('every route of the router', () => {
  let api: TestApi;
  let routes: Route[];
  let token: string;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '10000' } });
    routes = api.app.get(RouteTable).routes;
    token = (await api.register()).accessToken;
  });
  afterAll(() => api?.close());

  const send = (route: Route, bearer?: string) => api.fetch(pathOf(route), { method: route.method, token: bearer });
  const privateRoutes = () => routes.filter((route) => !PUBLIC.includes(name(route)));

  it('was found', () => {
    expect(routes.length).toBeGreaterThan(30);
    for (const known of [...PUBLIC, ...ANY_SCOPE]) expect(routes.map(name)).toContain(known);
  });

  it('is marked', () => {
    expect(routes.filter(({ marks }) => marks.access === undefined).map(name)).toEqual([]);
  });

  it('is public only when listed here', () => {
    expect(
      routes
        .filter(({ marks }) => marks.access?.public)
        .map(name)
        .filter((route) => !PUBLIC.includes(route)),
    ).toEqual([]);
    expect(
      routes
        .filter(({ marks }) => marks.publicOnLoopback)
        .map(name)
        .filter((route) => !PUBLIC_ON_LOOPBACK.includes(route)),
    ).toEqual([]);
  });

  it('takes an Idempotency-Key where it makes something', async () => {
    const posts = privateRoutes().filter(({ method }) => method === 'POST');
    const unmarked = posts.filter(({ marks }) => marks.creates === undefined).map(name);
    expect(unmarked.sort()).toEqual([...MAKE_NOTHING].sort());
    const makers = posts.filter(({ marks }) => marks.creates !== undefined);
    expect(makers.length).toBeGreaterThan(12);
    for (const route of makers) {
      const headers = { 'idempotency-key': 'k'.repeat(256) };
      const { status, json } = await api.request(pathOf(route), { method: 'POST', token, headers, body: {} });
      expect([name(route), status, json.errors]).toEqual([name(route), 400, [expect.objectContaining({ path: 'Idempotency-Key' })]]);
    }
  });

  it('answers 401 without a token, unless it is public', async () => {
    for (const route of privateRoutes().filter(({ marks }) => marks.publicOnLoopback !== true)) {
      const response = await send(route);
      expect([name(route), response.status, response.headers.get('www-authenticate')]).toEqual([name(route), 401, 'Bearer']);
    }
  });

  it.each(['garbage', 'sk-garbage', 'eyJhbGciOiJub25lIn0.e30.', "x' OR 1=1 --"])('answers 401 for the token %s', async (wrong) => {
    for (const route of privateRoutes()) {
      expect([name(route), (await send(route, wrong)).status]).toEqual([name(route), 401]);
    }
  });

  it('answers 403 to a key of another scope, unless any scope will do', async () => {
    for (const route of privateRoutes()) {
      const access = route.marks.access;
      if (access?.public !== false || access.scopes === 'any') {
        expect(ANY_SCOPE).toContain(name(route));
        continue;
      }
      const wanted = access.scopes;
      const other = SCOPES.filter((scope) => !wanted.includes(scope));
      const response = await send(route, await keyWith(other));
      expect([name(route), response.status]).toEqual([name(route), 403]);
    }
  });

  it('answers 403 to a role below its own', async () => {
    const viewer = await api.register('viewer@example.org');
    await api.app
      .get(PostgresClient, { strict: false })
      .query(sql`UPDATE memberships SET role = 'viewer' WHERE user_id = ${viewer.userId}`);
    const demanding = privateRoutes().filter(({ marks }) => marks.access?.public === false && marks.access.role !== 'viewer');
    expect(demanding.length).toBeGreaterThan(0);
    for (const route of demanding) expect([name(route), (await send(route, viewer.accessToken)).status]).toEqual([name(route), 403]);
  });

  it('is not reached by another spelling of its path without a token', async () => {
    for (const route of privateRoutes().filter(({ marks }) => marks.publicOnLoopback !== true)) {
      const path = pathOf(route);
      for (const spelling of [
        `${path}/`,
        `/${path}`,
        path.replace('/api', '/%61pi'),
        `${path};x=1`,
        path.toUpperCase(),
        `${path}?access_token=${token}`,
      ]) {
        const { status } = await api.fetch(spelling, { method: route.method });
        expect([spelling, [401, 404, 405].includes(status)]).toEqual([spelling, true]);
      }
    }
  });

  it('is in the OpenAPI document, and nothing else is', async () => {
    const { json } = await api.get('/docs/openapi.json');
    const { paths } = json as unknown as { paths: Record<string, Record<string, { security?: unknown[]; responses: object }>> };
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{([^}]+)\}/g, ':$1')}`),
    );
    const served = routes.filter(({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs')).map(name);
    expect(documented.sort()).toEqual(served.sort());
    for (const route of routes.filter(({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs'))) {
      const operation = paths[route.url.replaceAll(/:([A-Za-z]+)/g, '{$1}')]?.[route.method.toLowerCase()];
      const isPrivate = route.marks.access?.public === false;
      expect([name(route), (operation?.security ?? []).length > 0]).toEqual([name(route), isPrivate]);
      const wanted = isPrivate ? ['400', '401', '403', '429', '500'] : ['400', '500'];
      expect([name(route), Object.keys(operation?.responses ?? {})]).toEqual([name(route), expect.arrayContaining(wanted)]);
    }
  });

  it('is described in full: a summary, a tag, a success, and schemas that are there', async () => {
    const { json, text } = await api.get('/docs/openapi.json');
    const document = json as unknown as {
      paths: Record<string, Record<string, { summary?: string; tags?: string[]; responses: object }>>;
      components: { schemas: object };
    };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const success = Object.keys(operation.responses).some((status) => status.startsWith('2'));
        expect([method, path, Boolean(operation.summary), operation.tags?.length, success]).toEqual([method, path, true, 1, true]);
      }
    }
    for (const [, name] of text.matchAll(/"\$ref": "#\/components\/schemas\/([^"]+)"/g))
      expect(Object.keys(document.components.schemas)).toContain(name);
  });

  const keys = new Map<string, Promise<string>>();
  function keyWith(scopes: Scope[]): Promise<string> {
    const known = keys.get(scopes.join()) ?? api.key(token, scopes);
    keys.set(scopes.join(), known);
    return known;
  }
});
