import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RouteTable, type Route } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { openTeam, tenantState, type TableState, type Team } from '../kit';
import { pathTo } from '../matrix/path-ids';
import { Sender } from '../matrix/sender';
import { productionPackages, sourcesWith } from '../network/sources';

const CONSOLE = 'https://console.example.org';
const FOREIGN = [
  'https://evil.example',
  'null',
  'https://console.example.org.evil.example',
  'https://evilconsole.example.org',
  'https://evil.example/https://console.example.org',
  'https://console.example.org@evil.example',
  'https://console.example.org:8443',
  'https://CONSOLE.example.org',
  'http://console.example.org',
  'https://console.example.org/',
  `${CONSOLE}, https://evil.example`,
  'file://',
  '*',
];
const POLLUTIONS = [
  '__proto__',
  '__proto__[admin]',
  '__proto__.admin',
  'constructor',
  'constructor[prototype][admin]',
  'constructor.prototype.admin',
];

const nameOf = ({ method, url }: Route): string => `${method} ${url}`;

describe('what a page of somebody else can do in the browser of a user', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let team: Team;
  let sender: Sender;
  let routes: Route[];
  let token: string;
  let prototypes: string;

  beforeAll(async () => {
    prototypes = membersOfPrototypes();
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000', CORS_ORIGINS: CONSOLE } });
    team = await openTeam(api);
    sender = new Sender(api.url);
    routes = api.app.get(RouteTable).routes;
    token = team.actors.owner.token ?? '';
  });
  afterAll(async () => {
    await sender?.close();
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  const stateOf = (): Promise<Record<string, TableState>> => tenantState(team.database, team.victim.workspace);
  const targetOf = ({ url }: Route): string => pathTo(url, team.victim);
  const isPrivate = ({ marks }: Route): boolean => marks.access?.public === false;

  describe('Q01 a foreign origin', () => {
    it.each(FOREIGN)('%s may read no answer, and bring no credentials', async (origin) => {
      const asked = [
        'authorization',
        { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,cookie' },
      ] as const;
      const answers = [
        await sender.send({ method: 'GET', target: '/api/v1/auth/me', bearer: token, headers: { origin } }),
        await sender.send({ method: 'GET', target: '/v1/models', bearer: token, headers: { origin } }),
        await sender.send({ method: 'GET', target: '/api/v1/auth/me', headers: { origin } }),
        await sender.send({ method: 'GET', target: `/api/v1/jobs/${team.victim.job}/events?after=0`, headers: { origin } }),
        await sender.send({ method: 'GET', target: '/nowhere', headers: { origin } }),
        await sender.send({ method: 'GET', target: '/docs/openapi.json', headers: { origin } }),
        await sender.send({ method: 'OPTIONS', target: '/api/v1/auth/login', headers: { origin, ...asked[1] } }),
        await sender.send({ method: 'OPTIONS', target: '/v1/chat/completions', headers: { origin, ...asked[1] } }),
      ];
      for (const { headers } of answers)
        expect(
          Object.keys(headers).filter((name) => name.startsWith('access-control-') && name !== 'access-control-expose-headers'),
        ).toEqual([]);
      for (const { headers } of answers) expect(headers.vary).toContain('Origin');
    });

    it('that is listed may, as itself alone and without credentials of the browser', async () => {
      const headers = { origin: CONSOLE };
      const answer = await sender.send({ method: 'GET', target: '/api/v1/auth/me', bearer: token, headers });
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, CONSOLE]);
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    });
  });

  describe('Q02 without reading answers', () => {
    it('it has no cookie to ride on: none is set, and none is looked at', async () => {
      const faults: string[] = [];
      const cookie = ['token', 'access_token', 'authorization', 'session', 'jwt'].map((name) => `${name}=${token}`).join('; ');
      await sender.each(
        routes.filter((route) => isPrivate(route) && route.marks.publicOnLoopback !== true),
        async (route) => {
          const answer = await sender.send({ method: route.method, target: targetOf(route), headers: { cookie, 'x-api-key': token } });
          if (answer.status !== 401 || answer.headers['set-cookie'] !== undefined) faults.push(`${nameOf(route)}: ${answer.status}`);
        },
      );
      expect(faults).toEqual([]);
    });

    it('GET and HEAD change nothing, on any route', async () => {
      // The first reading of a workspace's agents makes those that everybody gets.
      await sender.send({ method: 'GET', target: '/api/v1/agents', bearer: token });
      const before = await stateOf();
      const statuses = new Map<string, number>();
      const reading = routes.filter(({ method, url }) => ['GET', 'HEAD'].includes(method) && !url.endsWith('/events'));
      await sender.each(reading, async (route) => {
        const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' };
        const answer = await sender.send({ method: route.method, target: targetOf(route), bearer: token, headers });
        statuses.set(nameOf(route), answer.status);
      });
      expect([...statuses].filter(([, status]) => status >= 500 && status !== 503)).toEqual([]);
      expect([...statuses.values()].filter((status) => status === 200).length).toBeGreaterThan(40);
      expect(await stateOf()).toEqual(before);
    });

    it.each(['_method=DELETE', 'method=DELETE', 'X-HTTP-Method-Override=DELETE'])('POST is POST, whatever ?%s says', async (query) => {
      const before = await stateOf();
      for (const [path, allowed] of [
        [`/api/v1/documents/${team.victim.document}`, 405],
        [`/api/v1/chat/sessions/${team.victim.session}`, 405],
      ] as const) {
        const headers = { 'x-http-method-override': 'DELETE' };
        expect((await sender.send({ method: 'POST', target: `${path}?${query}`, bearer: token, headers, body: {} })).status).toBe(allowed);
      }
      expect(await stateOf()).toEqual(before);
    });

    it('no answer becomes a script: there is no JSONP, and JSON is no script', async () => {
      for (const target of ['/health?callback=alert', '/api/v1/auth/me?callback=alert', '/v1/models?jsonp=alert']) {
        const { text, headers } = await sender.send({ method: 'GET', target, bearer: token });
        expect(text).not.toContain('alert(');
        expect(headers['content-type']).toMatch(/^application\/(?:problem\+)?json; charset=utf-8$/);
        expect(headers['x-content-type-options']).toBe('nosniff');
      }
    });
  });

  describe('P01, P02 over a connection that stays open', () => {
    it('P01 there is no WebSocket: not to be had, and nobody in the product could give one', async () => {
      const url = api.url.replace('http:', 'ws:');
      for (const path of ['/', '/ws', '/socket.io/?EIO=4&transport=websocket', `/api/v1/jobs/${team.victim.job}/events`])
        expect(await opened(`${url}${path}`)).toBe('refused');
      expect(sourcesWith(/WebSocket|['"]ws['"]|socket\.io|\bon\('upgrade'/u)).toEqual([]);
      expect(
        productionPackages().filter((name) =>
          /^(?:ws|socket\.io.*|@fastify\/websocket|@nestjs\/(?:websockets|platform-.*ws|platform-socket.*))$/.test(name),
        ),
      ).toEqual([]);
    });

    it('P01 a stream takes no token from its address', async () => {
      const path = `/api/v1/jobs/${team.victim.job}/events`;
      for (const query of [`token=${token}`, `access_token=${token}`, `api_key=${team.actors.owner.key}`])
        expect((await sender.send({ method: 'GET', target: `${path}?${query}` })).status).toBe(401);
    });

    it('P02 whoever may read a stream may not end its job', async () => {
      const key = await api.key(token, ['jobs:read']);
      const before = await stateOf();
      const answers = ['cancel', 'retry'].map((verb) =>
        sender.send({ method: 'POST', target: `/api/v1/jobs/${team.victim.job}/${verb}`, bearer: key }),
      );
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([403, 403]);
      expect(await stateOf()).toEqual({ ...before, api_keys: expect.anything() });
    });

    it('P02 nobody says to whom events go', async () => {
      const { session } = team.victim;
      for (const more of [
        { session_id: session },
        { user_id: team.victim.user },
        { events_url: 'https://evil.example' },
        { stream_to: session },
      ]) {
        const body = { content: 'x', ...more };
        const answer = await sender.send({ method: 'POST', target: `/api/v1/chat/sessions/${session}/messages`, bearer: token, body });
        expect([answer.status, JSON.parse(answer.text)]).toMatchObject([400, { errors: [{ path: Object.keys(more)[0] }] }]);
      }
    });
  });

  describe('R01 keys that reach prototypes', () => {
    // After each of them: no object of this process has got anything.
    afterEach(() => {
      expect(membersOfPrototypes()).toBe(prototypes);
      expect(({} as Record<string, unknown>).admin).toBeUndefined();
    });

    it('find the prototypes closed', () => {
      for (const prototype of [Object.prototype, Array.prototype, Function.prototype]) {
        expect(Object.isExtensible(prototype)).toBe(false);
        expect(Reflect.set(prototype, 'admin', true)).toBe(false);
      }
    });

    it('in a query are refused, or no one looks at them', async () => {
      const faults: string[] = [];
      const before = await stateOf();
      const reading = routes.filter(({ method, url }) => method === 'GET' && !url.endsWith('/events'));
      await sender.each(
        reading.flatMap((route) => POLLUTIONS.map((key) => ({ route, key }))),
        async ({ route, key }) => {
          const target = `${targetOf(route)}?${encodeURIComponent(key)}=true&${key}=true`;
          const [plain, polluted] = [
            await sender.send({ method: 'GET', target: targetOf(route), bearer: token }),
            await sender.send({ method: 'GET', target, bearer: token }),
          ];
          if (polluted.status !== 400 && polluted.status !== plain.status) faults.push(`${nameOf(route)} ${key}: ${polluted.status}`);
        },
      );
      expect(faults).toEqual([]);
      const lists = [
        '/api/v1/jobs',
        '/api/v1/documents',
        '/api/v1/chat/sessions',
        '/api/v1/agents',
        `/api/v1/vectors/collections/${team.victim.collection}/points`,
      ];
      for (const list of lists)
        for (const key of POLLUTIONS)
          expect([list, key, (await sender.send({ method: 'GET', target: `${list}?${key}=1`, bearer: token })).status]).toEqual([
            list,
            key,
            400,
          ]);
      expect(await stateOf()).toEqual(before);
    });

    it.each([
      ['points', (metadata: string) => `{"points":[{"id":"p","vector":[1,2,3],"metadata":${metadata}}]}`],
      [
        'points of a large body',
        (metadata: string) =>
          `{"points":[{"id":"${'p'.repeat(10)}","vector":[1,2,3],"metadata":${metadata}}],"pad":"${'x'.repeat(300_000)}"}`,
      ],
    ])('in the metadata of %s are refused', async (_, body) => {
      const target = `/api/v1/vectors/collections/${team.victim.collection}/points`;
      const before = await stateOf();
      for (const metadata of [
        '{"__proto__":{"admin":true}}',
        '{"a":1,"constructor":"x"}',
        '{"prototype":"x"}',
        '{"\\u005f\\u005fproto__":"x"}',
      ]) {
        const headers = { 'content-type': 'application/json' };
        const answer = await sender.send({ method: 'PUT', target, bearer: token, bytes: body(metadata), headers });
        expect([answer.status, JSON.parse(answer.text)]).toMatchObject([422, { code: 'unprocessable' }]);
      }
      expect(await stateOf()).toEqual(before);
    });

    it('in the header of bytes are refused', async () => {
      const header = Buffer.from('{"ids":["p"],"dimensions":3,"__proto__":{"admin":true}}');
      const length = Buffer.alloc(4);
      length.writeUInt32LE(header.length);
      const response = await fetch(`${api.url}/api/v1/vectors/collections/${team.victim.collection}/points`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
        body: Buffer.concat([length, header, Buffer.alloc(12)]),
      });
      expect([response.status, await response.json()]).toMatchObject([422, { code: 'unprocessable' }]);
    });

    it('in a filter are refused', async () => {
      const target = `/api/v1/vectors/collections/${team.victim.collection}/points/count`;
      for (const filter of [
        '{"__proto__":{"$eq":1}}',
        '{"constructor":1}',
        '{"a":{"__proto__":1}}',
        '{"$and":[{"prototype":{"$exists":true}}]}',
      ]) {
        const headers = { 'content-type': 'application/json' };
        const answer = await sender.send({ method: 'POST', target, bearer: token, bytes: `{"filter":${filter}}`, headers });
        expect([filter, answer.status]).toEqual([filter, 422]);
      }
    });

    it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__proto__[admin]', 'constructor.prototype.admin'])(
      'as the form field %s are refused',
      async (name) => {
        const before = await stateOf();
        const form = new FormData();
        form.append(name, 'true');
        form.append('file', new Blob(['A text.']), 'a.txt');
        const answer = await api.post('/api/v1/documents', form, token);
        expect([answer.status, answer.json]).toMatchObject([400, { code: 'invalid' }]);
        expect(await stateOf()).toEqual(before);
      },
    );

    it.each(['{"__proto__":{"admin":true}}', '{"constructor":{"prototype":1}}', '{"\\u005f_proto__":1}'])(
      'in the metadata %s of a form are refused',
      async (metadata) => {
        const before = await stateOf();
        const form = new FormData();
        form.append('metadata', metadata);
        form.append('file', new Blob(['A text.']), 'a.txt');
        const answer = await api.post('/api/v1/documents', form, token);
        expect([answer.status, answer.json]).toMatchObject([422, { code: 'unprocessable' }]);
        expect(await stateOf()).toEqual(before);
      },
    );
  });

  function opened(url: string): Promise<'opened' | 'refused'> {
    return new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.addEventListener('open', () => resolve('opened'));
      socket.addEventListener('error', () => resolve('refused'));
    });
  }
});

/** Every name on the prototypes that everything inherits from. */
function membersOfPrototypes(): string {
  return [Object, Array, Function, String, Number, Promise, Map]
    .map(({ prototype }) => Reflect.ownKeys(prototype).map(String).join())
    .join(';');
}
