import { request as rawRequest } from 'node:http';
import { EgressClient } from '@backing/egress';
import { PostgresClient, sql } from '@backing/postgres';
import { parseConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { RouteTable } from '../../../apps/api/src/http/route-table';
import { startApi, type Registered, type TestApi } from '../../support/api';
import { describeModels } from '../../support/models';
import { CanaryHttp } from '../network/canary-http';
import { SimulatedInternet } from '../network/simulated-internet';
import { ingestUrl } from '../network/url-ingestion';

const PUBLIC = '93.184.216.34';
const INSIDE = ['10.0.0.7', '127.0.0.1', '192.168.1.1', '172.16.9.9', '169.254.169.254', '100.64.0.1', '::1', 'fd00::7', 'fe80::1'];
/** The IANA registries of special-purpose addresses, and what clouds keep for themselves. */
const SPECIAL = `0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 169.254.170.2 172.16.0.1
  172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
  224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::2 ::7f00:1 ::ffff:7f00:1 ::ffff:a9fe:a9fe
  64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::a00:1 2002:7f00:1:: 2002:a00:1::1 2001:0:7f00:1:: 2001:2::1 2001:db8::1
  3fff::1 100::1 5f00::1 4000::1 fc00::1 fdff::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1`.split(/\s+/u);
const literal = (address: string): string => (address.includes(':') ? `http://[${address}]/` : `http://${address}/`);

describeModels('what the platform may reach', () => {
  let api: TestApi;
  let owner: Registered;
  let canary: CanaryHttp;
  let internet: SimulatedInternet;

  beforeAll(async () => {
    canary = await CanaryHttp.start();
    internet = new SimulatedInternet(canary);
    api = await startApi({ database: 'embedded', env: { AUTH_REGISTRATION: 'open', RATE_LIMIT_PER_MINUTE: '100000' } });
    internet.serve(api.app);
    owner = await api.register();
  });
  afterEach(() => {
    internet.forget();
    canary.forget();
  });
  afterAll(async () => {
    await api?.close();
    await canary?.close();
  });

  const ingest = (url: string, token = owner.accessToken) => ingestUrl(api, token, url);
  const nothingLeft = (): void =>
    expect({ dialled: internet.dialled, connections: canary.connections }).toEqual({ dialled: [], connections: 0 });
  /** Everything that comes of a fetch: its code, or the text. */
  async function fetched(url: string, client = api.app.get(EgressClient, { strict: false }), limits: object = {}): Promise<string> {
    try {
      const given = { maxBytes: 50_000, seconds: 5, signal: new AbortController().signal, ...limits };
      const { content } = await client.fetch(url, given);
      let text = '';
      for await (const part of content) text += String(part);
      return text;
    } catch (error) {
      if (error instanceof AppError) return error.code;
      throw error;
    }
  }
  const clientWith = (allow: string): EgressClient =>
    new EgressClient(parseConfig({ EGRESS_ALLOW: allow }), internet.resolver, internet.connector);

  it('reads what is public: the canaries below see what is let through', async () => {
    internet.names['public.test'] = [[PUBLIC]];
    canary.answer = (_request, response) => void response.setHeader('content-type', 'text/plain').end('The ferry leaves at nine.');
    expect((await ingest('http://public.test/ferry.txt')).outcome).toBe('accepted');
    expect(internet).toMatchObject({ asked: ['public.test'], dialled: [`${PUBLIC}:80`] });
    expect(canary.requests.map(({ url, headers }) => [url, headers.host])).toEqual([['/ferry.txt', 'public.test']]);
  });

  describe('A01 an address of the inside, however it is written', () => {
    it.each(
      `http://[::ffff:169.254.169.254]/ http://[::ffff:a9fe:a9fe]/ http://[0:0:0:0:0:ffff:a9fe:a9fe]/ http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/
       http://[::ffff:10.0.0.1]/ http://[::ffff:0:127.0.0.1]/ http://[::127.0.0.1]/ http://0x7f.1/ http://0177.0.0.1/ http://2130706433/ http://127.1/
       http://0/ http://0xa9fea9fe/ http://0251.0376.0251.0376/ http://①②⑦.⓪.⓪.①/ http://127。0。0。1/ http://%31%32%37.0.0.1/ http://127.0.0.1./
       http://LOCALHOST/ http://localhost./ http://a.localhost/ http://[::1]/ http://[::]/`.split(/\s+/u),
    )('%s', async (url) => {
      const { status, outcome, said } = await ingest(url);
      expect([status, outcome]).toEqual([422, 'egress_blocked']);
      expect(JSON.parse(said)).toMatchObject({ errors: [{ path: 'url' }] });
      expect(internet.asked).toEqual([]);
      nothingLeft();
    });
  });

  it.each(['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:169.254.169.254', '64:ff9b::7f00:1', '2002:7f00:1::', '::ffff:0:7f00:1'])(
    'A02 A07 a name whose AAAA is %s',
    async (address) => {
      internet.names['mapped.test'] = [[address]];
      const { outcome, said } = await ingest('http://mapped.test/');
      expect(outcome).toBe('egress_blocked');
      expect(said).not.toContain(address);
      nothingLeft();
    },
  );

  it.each(INSIDE)('A07 a name that leads to %s, also beside a public address or behind an alias', async (address) => {
    Object.assign(internet.names, { 'inside.test': [[address]], 'both.test': [[PUBLIC, address]], 'first.test': [[address, PUBLIC]] });
    for (const name of ['inside.test', 'both.test', 'first.test']) {
      const { outcome, said } = await ingest(`http://${name}/`);
      expect([name, outcome]).toEqual([name, 'egress_blocked']);
      expect(said).not.toContain(address);
    }
    nothingLeft();
  });

  describe('A04 a redirect', () => {
    const from = (location: string, status = 302): void => {
      internet.names['public.test'] = [[PUBLIC]];
      internet.names['inside.test'] = [['10.0.0.7']];
      canary.answer = (_request, response) => void response.writeHead(status, { location }).end('elsewhere');
    };
    const targets = [
      'http://127.0.0.1/',
      'http://[::ffff:a9fe:a9fe]/',
      'http://inside.test/',
      'http://public.test:6379/',
      'http://name:word@public.test/',
      'file:///etc/passwd',
      'gopher://public.test/',
      '//127.0.0.1/',
    ];
    it.each([301, 302, 303, 307, 308].flatMap((status) => targets.map((target) => [status, target] as const)))(
      'with %d to %s',
      async (status, target) => {
        from(target, status);
        expect(await fetched('http://public.test/')).toBe('egress_blocked');
        expect(internet.dialled).toEqual([`${PUBLIC}:80`]);
      },
    );

    it('of a document says what its address would have said', async () => {
      from('http://127.0.0.1:9200/_cat');
      expect((await ingest('http://public.test/page')).outcome).toBe('egress_blocked');
      expect(internet.dialled).toEqual([`${PUBLIC}:80`]);
    });

    it('is followed five times and no sixth', async () => {
      internet.names['public.test'] = [[PUBLIC]];
      canary.answer = (request, response) => {
        const left = Number(request.url?.slice(1));
        if (left === 0) response.end('arrived');
        else response.writeHead(302, { location: `/${left - 1}` }).end();
      };
      expect(await fetched('http://public.test/5')).toBe('arrived');
      canary.requests = [];
      expect(await fetched('http://public.test/6')).toBe('unprocessable');
      expect(canary.requests).toHaveLength(6);
    });

    it('in a Refresh header or a meta element is text', async () => {
      internet.names['public.test'] = [[PUBLIC]];
      const page =
        '<html><head><meta http-equiv="refresh" content="0;url=http://127.0.0.1/"></head><body>The tide table of the harbour.</body></html>';
      canary.answer = (_request, response) =>
        void response.writeHead(200, { refresh: '0;url=http://127.0.0.1/', 'content-type': 'text/html' }).end(page);
      expect((await ingest('http://public.test/tide')).outcome).toBe('accepted');
      expect(internet).toMatchObject({ asked: ['public.test'], dialled: [`${PUBLIC}:80`] });
    });
  });

  describe('A08 a name that changes its mind', () => {
    it('is asked once, and the socket goes where it was judged to go', async () => {
      internet.names['rebinding.test'] = [[PUBLIC], ['127.0.0.1']];
      expect(await fetched('http://rebinding.test/')).toBe('the canary');
      expect(internet).toMatchObject({ asked: ['rebinding.test'], dialled: [`${PUBLIC}:80`] });
    });

    it('reaches nobody when the socket ends elsewhere: not a byte is written', async () => {
      internet.names['public.test'] = [[PUBLIC]];
      for (const end of ['127.0.0.1', '::ffff:127.0.0.1', '10.0.0.7', '']) {
        internet.otherEnd = end;
        expect([end, await fetched('http://public.test/')]).toEqual([end, 'egress_blocked']);
      }
      expect(canary.requests).toEqual([]);
    });

    it('is judged anew at each hop', async () => {
      internet.names['rebinding.test'] = [[PUBLIC], ['127.0.0.1']];
      canary.answer = (_request, response) => void response.writeHead(302, { location: 'http://rebinding.test/again' }).end();
      expect(await fetched('http://rebinding.test/')).toBe('egress_blocked');
      expect(internet.dialled).toEqual([`${PUBLIC}:80`]);
    });
  });

  it.each(SPECIAL)('A10 %s is nobody to be reached, by address or by name', async (address) => {
    internet.names['special.test'] = [[address]];
    for (const url of [literal(address), 'http://special.test/']) expect([url, await fetched(url)]).toEqual([url, 'egress_blocked']);
    nothingLeft();
  });

  it.each([
    'http://public.test:22/',
    'http://public.test:6379/',
    'http://public.test:8080/',
    'https://public.test:80/',
    `http://${PUBLIC}:443/`,
  ])('A10 %s asks for a port that is not of the web', async (url) => {
    internet.names['public.test'] = [[PUBLIC]];
    expect(await fetched(url)).toBe('egress_blocked');
    nothingLeft();
  });

  describe('A13 nobody is above the rules', () => {
    it('no role and no key', async () => {
      const other = await api.register('other@example.org');
      const database = api.app.get(PostgresClient, { strict: false });
      for (const role of ['editor', 'admin', 'owner']) {
        await database.query(sql`UPDATE memberships SET role = ${role} WHERE user_id = ${other.userId}`);
        const { accessToken } = (await login(api, 'other@example.org')) as { accessToken: string };
        expect([role, (await ingest('http://169.254.169.254/latest/meta-data/', accessToken)).outcome]).toEqual([role, 'egress_blocked']);
      }
      const key = await api.key(owner.accessToken, ['documents:write', 'documents:read', 'admin']);
      for (const token of [owner.accessToken, key]) {
        expect((await ingest('http://10.0.0.5/intranet', token)).outcome).toBe('egress_blocked');
      }
      nothingLeft();
    });
  });

  it('A13 replacing a document asks the same door', async () => {
    const { json } = await api.post('/api/v1/documents', { name: 'a.txt', text: 'Something to be replaced.' }, owner.accessToken);
    const { id } = (json as unknown as { document: { id: string } }).document;
    const answer = await api.request(`/api/v1/documents/${id}`, {
      method: 'PUT',
      token: owner.accessToken,
      body: { url: 'http://127.0.0.1/' },
    });
    expect([answer.status, answer.json.code]).toEqual([422, 'egress_blocked']);
    nothingLeft();
  });

  describe('A25 what EGRESS_ALLOW names', () => {
    it.each(['evilwiki.test', 'wiki.test.evil.test', 'a.wiki.test', 'wiki.testing'])('is a whole name: not %s', async (name) => {
      internet.names[name] = [['10.0.0.7']];
      expect(await fetched(`http://${name}/`, clientWith('wiki.test'))).toBe('egress_blocked');
      nothingLeft();
    });

    it.each(['11.2.3.45', '1.2.3.45', '10.2.3.4', '110.1.2.3', '10.10.2.3'])('is a network by its bits: not %s', async (address) => {
      expect(await fetched(`http://${address}:8080/`, clientWith('1.2.3.4,10.1.0.0/16'))).toBe('egress_blocked');
      nothingLeft();
    });

    it('may be reached', async () => {
      internet.names['wiki.test'] = [['10.0.0.7']];
      expect(await fetched('http://wiki.test:8080/', clientWith('wiki.test'))).toBe('the canary');
      expect(await fetched('http://10.1.9.9:8080/', clientWith('10.1.0.0/16'))).toBe('the canary');
      expect(internet.dialled).toEqual(['10.0.0.7:8080', '10.1.9.9:8080']);
    });
  });

  it.each([
    ['//evil.test/x', '/'],
    ['/\\evil.test/x', '/'],
    ['/http://evil.test/', '/'],
    ['/@evil.test/', '/'],
    ['/x?url=http://127.0.0.1/', '/'],
  ])('A26 the path %s stays at the host that was judged', async (path) => {
    internet.names['public.test'] = [[PUBLIC]];
    expect(await fetched(`http://public.test${path}`)).toBe('the canary');
    expect(internet).toMatchObject({ asked: ['public.test'], dialled: [`${PUBLIC}:80`] });
    expect(canary.requests.map(({ headers }) => headers.host)).toEqual(['public.test']);
  });

  it('A26 a name or a password in an address is refused, not sent', async () => {
    internet.names['public.test'] = [[PUBLIC]];
    for (const url of ['http://public.test@evil.test/', 'http://a:b@public.test/', 'http://:b@public.test/'])
      expect([url, (await ingest(url)).outcome]).toEqual([url, 'egress_blocked']);
    nothingLeft();
  });

  it.each([
    'file:///etc/passwd',
    'file://localhost/etc/passwd',
    'ftp://public.test/',
    'gopher://public.test/_x',
    'data:text/plain,x',
    'dict://public.test/',
    'jar:http://public.test/!/',
    'ws://public.test/',
    'unix:/run/docker.sock:/info',
  ])('A01 the scheme of %s is not spoken', async (url) => {
    expect(await ingest(url)).toMatchObject({ status: 422, outcome: 'egress_blocked' });
    nothingLeft();
  });

  describe('the doors that we do not have', () => {
    const routes = (): string[] => api.app.get(RouteTable).routes.map(({ method, url }) => `${method} ${url}`);

    it('A05 A16 A20 A17 A22 M01: no workflow, tool import, webhook, OAuth, avatar or proxy is routed', () => {
      expect(routes().length).toBeGreaterThan(60);
      expect(
        routes().filter((route) =>
          /webhook|hook|callback|oauth|oidc|saml|sso|avatar|picture|proxy|forward|workflow|flow|import|plugin|mcp|openapi-tool|provider/iu.test(
            route,
          ),
        ),
      ).toEqual([]);
    });

    it('A14 A16 A20: an address is taken for documents only', async () => {
      const { json } = await api.get('/docs/openapi.json');
      expect(addressFields(json as unknown as OpenApi)).toEqual(['post /api/v1/documents url', 'put /api/v1/documents/{id} url']);
    });

    it('A14 nobody gives a model server: unknown fields are refused, and nothing is dialled', async () => {
      const token = owner.accessToken;
      const server = { base_url: canary.url, baseURL: canary.url, endpoint: canary.url, api_base: canary.url, host: canary.url };
      for (const [field, value] of Object.entries(server)) {
        const answers = await Promise.all([
          api.post('/api/v1/models', { name: 'tiny', accept_license: true, [field]: value }, token),
          api.post('/api/v1/agents', { name: `a-${field}`, [field]: value }, token),
          api.post('/api/v1/chat/sessions', { [field]: value }, token),
          api.post('/v1/chat/completions', { model: 'auto', messages: [{ role: 'user', content: 'hello' }], [field]: value }, token),
          api.post('/api/v1/vectors/collections', { name: 'c', [field]: value }, token),
        ]);
        expect([field, answers.map(({ status }) => status)]).toEqual([field, [400, 400, 400, 400, 400]]);
      }
      nothingLeft();
    });

    it('A16 a schema with a reference is refused, and nothing is fetched', async () => {
      const token = owner.accessToken;
      const schema = { $ref: `${canary.url}/schema.json` };
      const nested = { type: 'object', properties: { a: schema } };
      const format = { type: 'json_schema', json_schema: { name: 'x', schema: nested } };
      const asked = { model: 'smollm2-135m-instruct', messages: [{ role: 'user', content: 'hello' }], max_tokens: 4 };
      for (const answer of [
        await api.post('/api/v1/agents', { name: 'remote', output_schema: nested }, token),
        await api.post('/v1/chat/completions', { ...asked, response_format: format }, token),
      ])
        expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('$ref')]);
      const tool = { openapi: '3.1.0', servers: [{ url: 'http://10.0.0.5/' }], paths: {} };
      for (const tools of [[tool], ['http://10.0.0.5/openapi.json']])
        expect((await api.post('/api/v1/agents', { name: 'imported', tools }, token)).status).toBe(400);
      nothingLeft();
    });

    it('A05 A11 the tools of agents are four, and none of them takes an address', async () => {
      const { json } = await api.get('/api/v1/agents/tools', owner.accessToken);
      const { data } = json as unknown as { data: { name: string; parameters: { properties: object; additionalProperties: boolean } }[] };
      expect(data.map(({ name }) => name).sort()).toEqual(['calculate', 'current_time', 'read_document', 'search_collection']);
      for (const { parameters } of data) {
        expect(parameters.additionalProperties).toBe(false);
        expect(Object.keys(parameters.properties).filter((name) => /url|host|path|file|command|code/iu.test(name))).toEqual([]);
      }
    });

    it('A17 a picture of an account is not taken', async () => {
      const body = { email: 'pic@example.org', password: 'correct horse battery staple', picture: canary.url };
      const { status, json } = await api.post('/api/v1/auth/register', body);
      expect([status, json.code]).toEqual([400, 'invalid']);
      nothingLeft();
    });

    it('A22 asking this server for another one is asking this server', async () => {
      const statuses: (number | undefined)[] = [];
      for (const path of [
        `${canary.url}/x`,
        `//127.0.0.1:${canary.port}/x`,
        `/api/v1/proxy/${canary.url}`,
        `/api/v1/../../${canary.url}`,
      ]) {
        const { hostname, port } = new URL(api.url);
        statuses.push(
          await new Promise((resolve, reject) =>
            rawRequest({ host: hostname, port, path, headers: { host: `127.0.0.1:${port}` } }, (response) => {
              response.resume().once('end', () => resolve(response.statusCode));
            })
              .once('error', reject)
              .end(),
          ),
        );
      }
      expect(statuses.every((status) => status === 404 || status === 400)).toBe(true);
      nothingLeft();
    });

    it.each([
      'http://127.0.0.1/m',
      'registry.evil.test/x/y:latest',
      '127.0.0.1:5000/library/m',
      'hf.co/evil/model',
      '../../m',
      'm@sha256:../../..',
      'm?insecure=true',
      'a/b/c/d',
      'https:/evil',
      '@evil',
      'm#x',
      'm\n',
      '',
    ])('A23 B14 the model name %j reaches no registry', async (name) => {
      const { status } = await api.post('/api/v1/models', { name, accept_license: true }, owner.accessToken);
      expect([400, 403]).toContain(status);
      nothingLeft();
    });
  });
});

interface OpenApi {
  paths: Record<string, Record<string, { requestBody?: unknown }>>;
  components: { schemas: Record<string, unknown> };
}

/** Every field of a request's body whose name looks like an address. */
function addressFields({ paths, components }: OpenApi): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, at: string, seen: string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    const { properties = {}, $ref: reference } = value as { properties?: object; $ref?: unknown };
    for (const name of Object.keys(properties))
      if (/url|uri|host|endpoint|origin|server|proxy|address|callback|hook/iu.test(name)) found.add(`${at} ${name}`);
    const schema = typeof reference === 'string' ? (reference.split('/').at(-1) ?? '') : '';
    if (schema !== '' && !seen.includes(schema)) walk(components.schemas[schema], at, [...seen, schema]);
    for (const child of Object.values(value)) walk(child, at, seen);
  };
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { requestBody }] of Object.entries(methods)) walk(requestBody, `${method} ${path}`, []);
  return [...found].sort();
}

async function login(api: TestApi, email: string): Promise<unknown> {
  const { json } = await api.post('/api/v1/auth/login', { email, password: 'correct horse battery staple' });
  return { accessToken: json.access_token };
}
