import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { PostgresClient } from '@backing/postgres';
import { AppLog } from '@kernel/log';
import { RouteTable, type Route } from '../../../apps/api/src/http/route-table';
import { startApi, type TestApi } from '../../support/api';
import { openTeam, tenantState, type TableState, type Team } from '../kit';
import { exampleBody, type OpenApi } from '../matrix/example-body';
import { pathTo } from '../matrix/path-ids';
import { Sender } from '../matrix/sender';
import { sourcesWith } from '../network/sources';

const STATEMENTS = [
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  "x' UNION SELECT secret FROM api_keys --",
  '1) OR 1=1 --',
  '"; DELETE FROM documents; --',
  "\\'; SELECT pg_sleep(5); --",
  '$1',
  '$$; SELECT 1; $$',
  '%27%20OR%201=1',
  "'||(SELECT version())||'",
];
/** What full-text search gives a meaning of its own. */
const QUESTIONS = [
  "tide' & !x | (y)",
  'tide:*',
  '!tide',
  "tide' <-> 'x",
  '((((',
  '& | ! <->',
  'tide\\',
  "'); DROP TABLE points; --",
  '%',
  '_',
  '"tide" -x',
  "E'\\\\x00'",
];

/** Texts or lists of texts, as OpenAI has them. */
const LISTS = new Set(['prompt', 'input']);

describe('statements where values are expected', () => {
  const models = mkdtempSync(join(tmpdir(), 'sutazai-no-models-'));
  let api: TestApi;
  let team: Team;
  let sender: Sender;
  let token: string;
  let routes: Route[];
  let document: OpenApi;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { MODELS_DIR: models, RATE_LIMIT_PER_MINUTE: '10000000' } });
    team = await openTeam(api);
    sender = new Sender(api.url);
    token = team.actors.owner.token ?? '';
    routes = api.app.get(RouteTable).routes;
    document = (await api.get('/docs/openapi.json')).json as unknown as OpenApi;
    // The first reading of a workspace's agents makes those that everybody gets.
    await api.get('/api/v1/agents', token);
  });
  afterAll(async () => {
    await sender?.close();
    await api?.close();
    rmSync(models, { recursive: true, force: true });
  });

  const stateOf = (): Promise<Record<string, TableState>> => tenantState(team.database, team.victim.workspace);

  describe('J01 a token', () => {
    it.each([
      ...STATEMENTS,
      `sk-${"' OR '1'='1".padEnd(43, 'x')}`,
      `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"\' OR 1=1 --"}').toString('base64url')}.x`,
    ])('%s is nobody’s', async (bearer) => {
      const { status, text, headers } = await sender.send({ method: 'GET', target: '/api/v1/auth/me', bearer });
      expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(team.canaries.insides(text)).toEqual([]);
    });

    it('is looked up by its hash alone, so that the time of the look-up tells nothing of it', async () => {
      const client = api.app.get(PostgresClient, { strict: false });
      const { secret } = await team.people.key(team.actors.owner.userId, team.victim.workspace, ['chat']);
      const asked: string[] = [];
      const spy = jest.spyOn(client, 'query').mockImplementation(function (this: PostgresClient, statement) {
        asked.push(JSON.stringify(statement, (_, value: unknown) => (Buffer.isBuffer(value) ? value.toString('hex') : value)));
        return PostgresClient.prototype.query.call(this, statement) as never;
      });
      try {
        for (const bearer of [secret, `${secret.slice(0, -1)}${secret.endsWith('x') ? 'y' : 'x'}`]) {
          asked.length = 0;
          await api.get('/api/v1/auth/me', bearer);
          const said = asked.join('\n');
          const hash = createHash('sha256').update(bearer).digest();
          expect(said.includes(hash.toString('hex')) || said.includes(JSON.stringify([...hash]).slice(1, -1))).toBe(true);
          // No part of it that could be guessed at.
          for (let at = 3; at + 8 <= bearer.length; at += 8) expect(said).not.toContain(bearer.slice(at, at + 8));
        }
      } finally {
        spy.mockRestore();
      }
    });
  });

  it('J02 an id, a cursor or a filter of any route is a value, whatever it says', async () => {
    const before = await stateOf();
    const faults: string[] = [];
    const asked = routes
      .filter(({ url, marks }) => marks.access?.public === false && !url.endsWith('/logout'))
      .flatMap((route) => STATEMENTS.map((statement) => ({ route, statement })));
    await sender.each(asked, async ({ route, statement }) => {
      const path = route.url.replaceAll(/:[A-Za-z]+/g, encodeURIComponent(statement));
      const query = ['after', 'before', 'limit', 'kind', 'status', 'collection', 'from', 'group_by', 'action', 'user_id', 'q']
        .map((name) => `${name}=${encodeURIComponent(statement)}`)
        .join('&');
      const reading = route.method === 'GET' || route.method === 'HEAD';
      const body = reading ? undefined : exampleBody(document, route.method, route.url, team.victim);
      const targets = [...(path === route.url ? [] : [path]), ...(reading ? [`${pathTo(route.url, team.victim)}?${query}`] : [])];
      for (const target of targets) {
        const answer = await sender.send({ method: route.method, target, bearer: token, body });
        // An answer may say which id it does not know.
        const shown = team.canaries.insides(answer.text.replaceAll(JSON.stringify(statement).slice(1, -1), ''));
        if ((answer.status >= 500 && answer.status !== 503) || shown.length > 0)
          faults.push(`${route.method} ${target}: ${answer.status} ${shown.join()}`);
        if (target === path && answer.status < 300) faults.push(`${route.method} ${target}: ${answer.status}`);
      }
    });
    expect(faults).toEqual([]);
    expect(await stateOf()).toEqual(before);
  });

  it('J10 an object, a list or a number is no text, in any body', async () => {
    const before = await stateOf();
    const faults: string[] = [];
    const taking = routes.filter(
      ({ url, method, marks }) => marks.access?.public !== undefined && method !== 'GET' && method !== 'HEAD' && !url.endsWith('/logout'),
    );
    const asked = taking.flatMap((route) => {
      const body = exampleBody(document, route.method, route.url, team.victim) as Record<string, unknown> | undefined;
      const texts = Object.entries(body ?? {}).filter(([, value]) => typeof value === 'string');
      return texts.flatMap(([name]) =>
        [{ $ne: '' }, { toString: 'x' }, ...(LISTS.has(name) ? [] : [['x']]), 1, true].map((value) => ({
          route,
          body: { ...body, [name]: value },
          name,
        })),
      );
    });
    expect(asked.length).toBeGreaterThan(50);
    await sender.each(asked, async ({ route, body, name }) => {
      const bearer =
        route.marks.access?.public === true ? undefined : route.url.startsWith('/api/v1/models') ? team.actors.instanceAdmin.token : token;
      const { status, text } = await sender.send({ method: route.method, target: pathTo(route.url, team.victim), bearer, body });
      const named = text.includes(`"${name}`) || text.includes(`${name}:`);
      if (![400, 422].includes(status) || !named || team.canaries.insides(text).length > 0)
        faults.push(`${route.method} ${route.url} ${JSON.stringify(body).slice(0, 120)}: ${status} ${text.slice(0, 160)}`);
    });
    expect(faults).toEqual([]);
    expect(await stateOf()).toEqual(before);
  });

  describe('J04, J13 a question and a filter', () => {
    const path = '/api/v1/vectors/collections/sea';

    beforeAll(async () => {
      await api.post('/api/v1/vectors/collections', { name: 'sea', dimensions: 2 }, token);
      const points = [
        { id: 'a', vector: [1, 0], text: 'the tide comes', metadata: { kind: 'mine', year: 1921, note: "it's" } },
        { id: 'b', vector: [0, 1], text: 'the tide goes', metadata: { kind: 'yours', year: 1922 } },
        { id: 'c', vector: [1, 1], text: 'nothing of it', metadata: { kind: 'yours' } },
      ];
      expect((await api.request(`${path}/points`, { method: 'PUT', body: { points }, token })).status).toBe(200);
    });

    const found = async (body: object): Promise<string[]> => {
      const { status, json, text } = await api.post(`${path}/search`, body, token);
      expect([status, status === 200 ? '' : text]).toEqual([200, '']);
      return (json.data as unknown as { id: string }[]).map(({ id }) => id).sort();
    };

    it.each(QUESTIONS)('J04 %s is words, and finds what its words find', async (text) => {
      const words = (await found({ text, mode: 'text' })).join();
      expect(words).toBe(/tide/.test(text) ? 'a,b' : '');
    });

    it('J13 a filter with a statement for a value matches that text alone', async () => {
      for (const statement of STATEMENTS) {
        expect(await found({ vector: [1, 0], filter: { kind: statement } })).toEqual([]);
        expect(await found({ vector: [1, 0], filter: { kind: { $in: [statement, 'mine'] } } })).toEqual(['a']);
        expect(await found({ vector: [1, 0], filter: { kind: { $ne: statement } } })).toEqual(['a', 'b', 'c']);
      }
      expect(await found({ vector: [1, 0], filter: { note: "it's" } })).toEqual(['a']);
    });

    it.each(["kind' OR 1=1 --", 'kind"', 'kind) OR (1=1', 'metadata->>kind', 'kind;', '$where', '$expr', 'a b', "'", ''])(
      'J13 a filter by the field %s is refused, and widens nothing',
      async (field) => {
        for (const filter of [{ [field]: 'mine' }, { $and: [{ [field]: { $exists: true } }] }, { $not: { [field]: 'x' } }]) {
          const { status } = await api.post(`${path}/search`, { vector: [1, 0], filter }, token);
          expect([400, 422]).toContain(status);
          expect([400, 422]).toContain((await api.post(`${path}/points/delete`, { filter }, token)).status);
        }
        expect((await api.post(`${path}/points/count`, {}, token)).json).toEqual({ count: 3 });
      },
    );

    it('J13 operators mean what the contract says, whatever else is beside them', async () => {
      expect(await found({ vector: [1, 0], filter: { year: { $gt: 1921 } } })).toEqual(['b']);
      expect(await found({ vector: [1, 0], filter: { $or: [{ year: 1921 }, { kind: 'nobody' }] } })).toEqual(['a']);
      expect(await found({ vector: [1, 0], filter: { kind: { $in: [] } } })).toEqual([]);
      expect(await found({ vector: [1, 0], filter: { $not: { kind: 'yours' } } })).toEqual(['a']);
      for (const filter of [{ $or: [] }, { kind: { $regex: '.*' } }, { kind: { $where: '1' } }, { $nor: [{ kind: 'x' }] }])
        expect([400, 422]).toContain((await api.post(`${path}/search`, { vector: [1, 0], filter }, token)).status);
    });
  });

  it('J05 no tool takes the name of a table, and no statement is put together out of texts', () => {
    expect(sourcesWith(/table_?name['"]?\s*:\s*z\./iu)).toEqual([]);
    // `raw` takes what the program itself has written; whoever uses it is looked at by hand.
    const unbound = sourcesWith(/\.query\(\s*`/u).filter(
      (path) => !/^libs\/backing\/postgres\/(?:migrations\/|postgres\.source\.ts|postgres\.listener\.ts)/.test(path),
    );
    expect(unbound).toEqual([]);
  });

  it('J02 a line of the log stays one line, whatever the request says', async () => {
    const lines: string[] = [];
    const log = new AppLog('info', { write: (line) => void lines.push(line) });
    log.log({ msg: 'request\n{"level":"fatal","msg":"forged"}', route: '/a\r\nforged: 1', method: 'GET\u001b[2J' });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toMatch(/[\r\n\u001b]/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info' });
    // Ids from outside are written on every line: only harmless ones are taken over.
    for (const id of ['a\tb', 'a b', '"}', '<script>'])
      expect((await api.request('/livez', { headers: { 'x-request-id': id } })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});
