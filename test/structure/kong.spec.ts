import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadScript } from '../scripts/load-script';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Plugin {
  name: string;
  config: Record<string, unknown>;
}
interface Route {
  name: string;
  methods?: string[];
  paths: string[];
  strip_path: boolean;
  preserve_host: boolean;
  request_buffering: boolean;
  response_buffering: boolean;
  plugins: Plugin[];
}
interface Service {
  name: string;
  host: string;
  read_timeout: number;
  write_timeout: number;
  routes: Route[];
}
interface Config {
  services: Service[];
  upstreams: {
    name: string;
    targets: { target: string }[];
    healthchecks: { active: { http_path: string; type: string; healthy: { interval: number }; unhealthy: { interval: number } } };
  }[];
  plugins: Plugin[];
}
interface Operation {
  tags: string[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}
type Document = { paths: Record<string, Record<string, Operation>> };
interface Kong {
  kongYaml(document: Document, options?: { origins?: string[] }): string;
  kongConfig(document: Document, options?: { origins?: string[] }): Config;
  DEFAULT_ORIGINS: string[];
}

const document = JSON.parse(read('deploy/openapi.json')) as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);
const config = parse(read('deploy/kong/kong.yml')) as Config;
const MEBIBYTE = 1_048_576;
const IDS = ['019ad0a0-0000-7000-8000-000000000001', 'tools', 'runs', 'a.b_c~d', 'caf%C3%A9'];

function isMatch(route: Route, method: string, path: string): boolean {
  const on = (pattern: string): boolean =>
    pattern.startsWith('~') ? new RegExp(`^${pattern.slice(1)}`).test(path) : path.startsWith(pattern);
  return (route.methods ?? [method]).includes(method) && route.paths.some(on);
}

/**
 * What Kong's router (traditional_compatible) would choose: routes with more kinds of conditions first, then regular expressions, then the longest prefix.
 * All routes that nothing tells apart are answered.
 */
function chosen(of: Config, method: string, path: string): Route[] {
  const found = of.services
    .flatMap(({ routes }) => routes)
    .filter((route) => isMatch(route, method, path))
    .map((route) => {
      const paths = route.paths.filter((each) => isMatch({ ...route, paths: [each] }, method, path));
      const regular = paths.some((each) => each.startsWith('~'));
      return {
        route,
        weight: [route.methods === undefined ? 1 : 2, regular ? 1 : 0, regular ? 0 : Math.max(...paths.map((each) => each.length))],
      };
    });
  const best = found.reduce<number[]>((most, { weight }) => (compare(weight, most) > 0 ? weight : most), [0, 0, 0]);
  return found.filter(({ weight }) => compare(weight, best) === 0).map(({ route }) => route);
}

function compare(left: number[], right: number[]): number {
  return left.map((each, at) => each - (right[at] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function settingsOf(route: Route | undefined, name: string): Record<string, unknown> {
  return route?.plugins.find((plugin) => plugin.name === name)?.config ?? {};
}

function serviceOf(of: Config, route: Route | undefined): Service | undefined {
  return of.services.find(({ routes }) => routes.some(({ name }) => name === route?.name));
}

/** One address of each operation with every kind of id in it. */
function addresses(path: string): string[] {
  return IDS.map((id) => path.replace(/\{[^}]+\}/g, id));
}

function isStream({ path, operation }: (typeof operations)[number]): boolean {
  const events = Object.values(operation.responses).some(({ content }) => content?.['text/event-stream'] !== undefined);
  return events || path.startsWith('/v1/') || path.endsWith('/events');
}

function bytesOf({ operation }: (typeof operations)[number]): number {
  const bodies = Object.keys(operation.requestBody?.content ?? {});
  if (bodies.includes('multipart/form-data')) return 51 * MEBIBYTE;
  return bodies.includes('application/octet-stream') ? 64 * MEBIBYTE : MEBIBYTE;
}

/** Each rule answers what breaks it; beside it a breach that it must find. */
const RULES: Record<string, { faults: (of: Config) => unknown[]; breach: (of: Config) => void }> = {
  'every route of the document is reached by one route of the gateway, and never by the one for unknown addresses': {
    faults: (of) =>
      operations.flatMap(({ path, method }) =>
        addresses(path)
          .map((address) => ({ address: `${method} ${address}`, routes: chosen(of, method, address).map(({ name }) => name) }))
          .filter(({ routes }) => routes.length !== 1 || routes[0] === 'unknown'),
      ),
    breach: (of) => void of.services[0]?.routes.splice(0, 1),
  },
  'two routes never compete for one request': {
    faults: (of) => operations.filter(({ path, method }) => addresses(path).some((address) => chosen(of, method, address).length > 1)),
    breach: (of) => void of.services[0]?.routes.push({ ...(of.services[0].routes[0] as Route), name: 'double' }),
  },
  'streams have 600 s and are passed on as they come, bulk points have 600 s, the rest 65 s': {
    faults: (of) =>
      operations.filter((each) => {
        const route = chosen(of, each.method, each.path.replace(/\{[^}]+\}/g, 'x'))[0];
        const service = serviceOf(of, route);
        const long = isStream(each) || bytesOf(each) === 64 * MEBIBYTE ? 600_000 : 65_000;
        return service?.read_timeout !== long || service.write_timeout !== long || route?.response_buffering === isStream(each);
      }),
    breach: (of) => of.services.forEach((service) => service.routes.forEach((route) => (route.response_buffering = true))),
  },
  'bodies are bounded as the API bounds them': {
    faults: (of) =>
      operations.filter((each) => {
        const sizes = settingsOf(chosen(of, each.method, each.path.replace(/\{[^}]+\}/g, 'x'))[0], 'request-size-limiting');
        return sizes.size_unit !== 'megabytes' || Number(sizes.allowed_payload_size) * MEBIBYTE !== bytesOf(each);
      }),
    breach: (of) => void of.services[0]?.routes[0]?.plugins.pop(),
  },
  'every route has a coarse limit for each address, above that of the API, whose headers stay the only ones': {
    faults: (of) =>
      of.services
        .flatMap(({ routes }) => routes)
        .filter((route) => {
          const limit = settingsOf(route, 'rate-limiting');
          const least = ['auth', 'unknown'].includes(route.name) ? 100 : 601;
          return limit.limit_by !== 'ip' || limit.hide_client_headers !== true || Number(limit.minute) < least;
        }),
    breach: (of) => Object.assign(settingsOf(of.services[0]?.routes[0], 'rate-limiting'), { hide_client_headers: false }),
  },
  'the path and the host arrive as they were sent': {
    faults: (of) => of.services.flatMap(({ routes }) => routes).filter((route) => route.strip_path || !route.preserve_host),
    breach: (of) => Object.assign(of.services[1]?.routes[0] ?? {}, { strip_path: true }),
  },
  'the API is found by the DNS of Consul and asked for its readiness every second': {
    faults: (of) => {
      const [upstream, ...others] = of.upstreams;
      const active = upstream?.healthchecks.active;
      const right =
        others.length === 0 &&
        upstream?.targets.length === 1 &&
        upstream.targets[0]?.target === 'sutazai-api.service.consul:10200' &&
        of.services.every(({ host }) => host === upstream.name) &&
        active?.http_path === '/readyz' &&
        active.type === 'http' &&
        active.healthy.interval === 1 &&
        active.unhealthy.interval === 1;
      return right ? [] : [upstream];
    },
    breach: (of) => Object.assign(of.upstreams[0]?.healthchecks.active ?? {}, { http_path: '/livez' }),
  },
  'the id of a request is made in a form that the API keeps, and the one that the API took is shown': {
    faults: (of) => {
      const id = of.plugins.find(({ name }) => name === 'correlation-id')?.config;
      return id?.header_name === 'x-request-id' && id.generator === 'uuid' && id.echo_downstream === false ? [] : [id];
    },
    breach: (of) => Object.assign(of.plugins[0]?.config ?? {}, { generator: 'uuid#counter' }),
  },
  'CORS is as the API gives it: listed origins, its headers, no credentials': {
    faults: (of) => {
      const cors = of.plugins.find(({ name }) => name === 'cors')?.config;
      const api = read('apps/api/src/http/cors.ts');
      const exposed = [...(/EXPOSED_HEADERS = \[([^\]]*)\]/.exec(api)?.[1] ?? '').matchAll(/'([^']+)'/g)].map(([, header]) => header);
      const methods = /methods: '([A-Z,]+)'/.exec(api)?.[1]?.split(',') ?? [];
      const same = (left: unknown, right: unknown[]): boolean =>
        JSON.stringify([...(left as string[])].sort()) === JSON.stringify([...right].sort());
      const right =
        exposed.length > 5 &&
        same(cors?.exposed_headers, exposed) &&
        same(cors?.methods, methods) &&
        cors?.credentials === false &&
        cors.max_age === Number(/maxAge: (\d+)/.exec(api)?.[1]) &&
        !(cors.origins as string[]).includes('*');
      return right ? [] : [cors];
    },
    breach: (of) => Object.assign(of.plugins[1]?.config ?? {}, { credentials: true }),
  },
  'nobody reaches the metrics, and the documentation is open': {
    faults: (of) => [
      ...of.services.flatMap(({ routes }) => routes).filter(({ paths }) => paths.some((path) => path.includes('metrics'))),
      ...['/docs', '/docs/openapi.json', '/docs/errors/not_found'].filter((path) => chosen(of, 'GET', path)[0]?.name !== 'docs'),
    ],
    breach: (of) => void of.services[0]?.routes[0]?.paths.push('/metrics'),
  },
};

let kong: Kong;
let schema: { safeParse(value: unknown): { success: boolean; error?: { issues: { path: unknown[]; message: string }[] } } };

beforeAll(async () => {
  kong = await loadScript<Kong>('sync/kong.mjs');
  ({ kongSchema: schema } = await loadScript<{ kongSchema: typeof schema }>('sync/kong-schema.mjs'));
});

describe('deploy/kong/kong.yml', () => {
  it('is what the OpenAPI document makes of it', () => {
    expect(read('deploy/kong/kong.yml')).toBe(kong.kongYaml(document));
  });

  it('asks for the name under which the API enters itself', () => {
    const [, name] = /name: `(sutazai-\$\{role\})`/.exec(read('libs/backing/consul/consul.registration.ts')) ?? [];
    expect(config.upstreams[0]?.targets[0]?.target).toBe(`${name?.replace('${role}', 'api')}.service.consul:10200`);
  });

  it('keeps to the schema', () => {
    expect(schema.safeParse(config)).toMatchObject({ success: true });
  });

  it.each(Object.entries(RULES))('%s', (_rule, { faults, breach }) => {
    expect(faults(config)).toEqual([]);
    const broken = structuredClone(config);
    breach(broken);
    expect(faults(broken)).not.toEqual([]);
  });

  it('names the origins that it is given, and none when it would mean all', () => {
    const origins = ['https://console.example.org'];
    expect(kong.kongConfig(document, { origins }).plugins[1]?.config.origins).toEqual(origins);
    expect(() => kong.kongConfig(document, { origins: [] })).toThrow();
    expect(() => kong.kongConfig(document, { origins: ['https://console.example.org/'] })).toThrow(/is no origin/);
  });

  it('follows the document: a new stream and a new tag get routes of their own', () => {
    const stream = { tags: ['graph'], responses: { 200: { content: { 'text/event-stream': {} } } } };
    const plain = { tags: ['graph'], responses: { 200: { content: { 'application/json': {} } } } };
    const paths = { ...document.paths, '/api/v1/graph/query': { post: stream }, '/api/v1/graph/entities': { get: plain } };
    const made = kong.kongConfig({ paths });
    expect(chosen(made, 'POST', '/api/v1/graph/query')).toMatchObject([{ name: 'graph-streams', response_buffering: false }]);
    expect(chosen(made, 'GET', '/api/v1/graph/entities')).toMatchObject([{ name: 'graph', methods: ['GET', 'HEAD', 'OPTIONS'] }]);
  });
});

describe('the schema of the gateway refuses', () => {
  const BREACHES: [what: string, breach: (of: Config & Record<string, unknown>) => void][] = [
    ['another format', (of) => Object.assign(of, { _format_version: '1.1' })],
    ['an unknown key of the file', (of) => Object.assign(of, { consumer: [] })],
    ['an unknown key of a service', (of) => Object.assign(of.services[0] ?? {}, { readtimeout: 1 })],
    ['an unknown key of a route', (of) => Object.assign(of.services[0]?.routes[0] ?? {}, { stripPath: false })],
    ['an unknown key of a plugin', (of) => Object.assign(settingsOf(of.services[0]?.routes[0], 'rate-limiting'), { per_minute: 1 })],
    ['an unknown key of an upstream', (of) => Object.assign(of.upstreams[0] ?? {}, { target: [] })],
    ['an unknown key of a health check', (of) => Object.assign(of.upstreams[0]?.healthchecks ?? {}, { actives: {} })],
    ['a plugin that is not loaded', (of) => void of.plugins.push({ name: 'pre-function', config: {} })],
    ['a plugin twice', (of) => void of.plugins.push(of.plugins[0] as Plugin)],
    [
      'counters of a cluster, which need a database',
      (of) => Object.assign(settingsOf(of.services[0]?.routes[0], 'rate-limiting'), { policy: 'cluster' }),
    ],
    ['a limit without a number', (of) => delete settingsOf(of.services[0]?.routes[0], 'rate-limiting').minute],
    [
      'half a megabyte',
      (of) => Object.assign(settingsOf(of.services[0]?.routes[0], 'request-size-limiting'), { allowed_payload_size: 0.5 }),
    ],
    ['an unknown method', (of) => of.services[0]?.routes[0]?.methods?.push('FETCH')],
    ['a relative path', (of) => of.services[0]?.routes[0]?.paths.push('v1')],
    ['a wrong regular expression', (of) => of.services[0]?.routes[0]?.paths.push('~/v1/([a')],
    ['two routes of one name', (of) => of.services[1]?.routes.push(of.services[0]?.routes[0] as Route)],
    ['a service without upstream', (of) => Object.assign(of.services[0] ?? {}, { host: 'elsewhere' })],
    ['a target without port', (of) => Object.assign(of.upstreams[0]?.targets[0] ?? {}, { target: 'sutazai-api.service.consul' })],
    ['a time of nothing', (of) => Object.assign(of.services[0] ?? {}, { read_timeout: 0 })],
    ['all origins', (of) => Object.assign(of.plugins[1]?.config ?? {}, { origins: ['*'] })],
  ];

  it.each(BREACHES)('%s', (_what, breach) => {
    const broken = structuredClone(config) as Config & Record<string, unknown>;
    breach(broken);
    expect(schema.safeParse(broken).success).toBe(false);
  });
});
