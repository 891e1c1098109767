// deploy/kong/kong.yml: the configuration of the gateway, out of the OpenAPI document. As a program, for other origins of web pages:
// node scripts/sync/kong.mjs --origins https://console.example.org,https://wiki.example.org > deploy/kong/kong.local.yml
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ROOT, StepError, exitWith, isProgram } from '../toolchain/process.mjs';
import { kongSchema } from './kong-schema.mjs';

/** Where the gateway itself is found when nothing else is said: docker-compose.yml gives the API the same. */
export const DEFAULT_ORIGINS = ['http://localhost:10008', 'http://127.0.0.1:10008'];
/** The name under which each API enters itself in Consul, and the one that Consul's DNS gives it. */
const UPSTREAM = 'sutazai-api';
const TARGET = 'sutazai-api.service.consul:10200';

const MEBIBYTE = 1_048_576;
const JSON_BYTES = MEBIBYTE;
const POINTS_BYTES = 64 * MEBIBYTE;
/** 50 MiB of a document, and the lines of a form around it. */
const UPLOAD_BYTES = 51 * MEBIBYTE;

/**
 * What a route is for decides its time, its size and its coarse limit: requests per minute of one address. The limits are many times those of the
 * API, which counts people and keys exactly and whose headers alone are shown: these only keep a flood from one address away from it.
 */
const KINDS = {
  plain: { service: 'sutazai', bytes: JSON_BYTES, perMinute: 6_000 },
  auth: { service: 'sutazai', bytes: JSON_BYTES, perMinute: 300 },
  uploads: { service: 'sutazai-uploads', bytes: UPLOAD_BYTES, perMinute: 1_200 },
  points: { service: 'sutazai-bulk', bytes: POINTS_BYTES, perMinute: 1_200 },
  streams: { service: 'sutazai-streams', bytes: JSON_BYTES, perMinute: 3_000 },
  unknown: { service: 'sutazai', bytes: JSON_BYTES, perMinute: 600 },
};

/** Milliseconds, and whether bodies are gathered before they are passed on. A stream is passed on as it comes. */
const SERVICES = {
  sutazai: { timeout: 65_000, requests: true, responses: true },
  'sutazai-uploads': { timeout: 65_000, requests: false, responses: true },
  'sutazai-bulk': { timeout: 600_000, requests: false, responses: true },
  'sutazai-streams': { timeout: 600_000, requests: true, responses: false },
};
const CONNECT_MS = 2_000;

/** Routes that the document does not list: its own pages, and what nobody knows, so that 404 and 405 have the form of the contract. */
const UNLISTED = [
  { name: 'docs', kind: 'plain', paths: ['/docs'], methods: ['GET', 'HEAD', 'OPTIONS'] },
  { name: 'unknown', kind: 'unknown', paths: ['/'] },
];

const EXPOSED = [
  'Location',
  'ETag',
  'Retry-After',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'x-request-id',
  'Idempotent-Replayed',
];

/** The declarative configuration (format 3.0). Throws when it breaks the schema. */
export function kongConfig(document, { origins = DEFAULT_ORIGINS } = {}) {
  const routes = [...listedRoutes(document), ...UNLISTED];
  const services = Object.entries(SERVICES).map(([name, settings]) => ({
    name,
    protocol: 'http',
    host: UPSTREAM,
    port: 80,
    // Only what never reached a server is tried at another one.
    retries: 2,
    connect_timeout: CONNECT_MS,
    read_timeout: settings.timeout,
    write_timeout: settings.timeout,
    routes: routes.filter(({ kind }) => KINDS[kind].service === name).map((route) => routeOf(route, settings)),
  }));
  return kongSchema.parse({ _format_version: '3.0', _transform: true, services, upstreams: [upstream()], plugins: globalPlugins(origins) });
}

/** The text of the file. */
export function kongYaml(document, options) {
  const head = '# Made from deploy/openapi.json by `npm run sync`: do not edit. docs/deploy.md says what it decides.\n';
  return `${head}${stringify(kongConfig(document, options), { lineWidth: 0 })}`;
}

/** One route for each tag of the document, and one for each kind of special operation of that tag. */
function listedRoutes(document) {
  const groups = new Map();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const kind = kindOf(path, operation);
      const [tag = 'untagged'] = operation.tags ?? [];
      const name = kind === 'plain' || kind === tag ? tag : `${tag}-${kind}`;
      const group = groups.get(name) ?? { name, kind, paths: new Set(), methods: new Set() };
      group.paths.add(isSpecial(kind) && !path.startsWith('/v1/') ? exactly(path) : rootOf(path));
      for (const each of methodsOf(method)) group.methods.add(each);
      groups.set(name, group);
    }
  }
  const sorted = (set) => [...set].sort();
  return [...groups.values()]
    .map(({ paths, methods, ...group }) => ({ ...group, paths: sorted(paths), methods: sorted(methods) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(path, operation) {
  const bodies = Object.keys(operation.requestBody?.content ?? {});
  const answers = Object.values(operation.responses).flatMap(({ content }) => Object.keys(content ?? {}));
  if (path.startsWith('/v1/') || path.endsWith('/events') || answers.includes('text/event-stream')) return 'streams';
  if (bodies.includes('multipart/form-data')) return 'uploads';
  if (bodies.includes('application/octet-stream')) return 'points';
  return path.startsWith('/api/v1/auth/') ? 'auth' : 'plain';
}

const isSpecial = (kind) => KINDS[kind].service !== 'sutazai';

/** Everything below the first noun: /api/v1/chat, /v1, /health. */
function rootOf(path) {
  const [, first, ...rest] = path.split('/');
  if (first === 'v1') return '/v1/';
  return first === 'api' ? `/api/${rest.slice(0, 2).join('/')}` : `/${first}`;
}

/** A regular expression of Kong (after ~), which wins over every prefix: this path and no other. */
function exactly(path) {
  return `~${path.replaceAll('.', '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`;
}

/** OPTIONS: a browser asks before it sends. */
function methodsOf(method) {
  const name = method.toUpperCase();
  return name === 'GET' ? ['GET', 'HEAD', 'OPTIONS'] : [name, 'OPTIONS'];
}

function routeOf({ name, kind, paths, methods }, { requests, responses }) {
  const { bytes, perMinute } = KINDS[kind];
  return {
    name,
    protocols: ['http', 'https'],
    ...(methods === undefined ? {} : { methods }),
    paths,
    strip_path: false,
    // The API judges the Host by PUBLIC_HOSTS.
    preserve_host: true,
    request_buffering: requests,
    response_buffering: responses,
    plugins: [
      { name: 'rate-limiting', config: { minute: perMinute, limit_by: 'ip', policy: 'local', hide_client_headers: true } },
      { name: 'request-size-limiting', config: { allowed_payload_size: bytes / MEBIBYTE, size_unit: 'megabytes' } },
    ],
  };
}

/** Whom Consul's DNS names; each is asked whether it is ready, so that one that drains gets nothing new. */
function upstream() {
  return {
    name: UPSTREAM,
    algorithm: 'least-connections',
    targets: [{ target: TARGET, weight: 100 }],
    healthchecks: {
      active: {
        type: 'http',
        http_path: '/readyz',
        timeout: 2,
        concurrency: 10,
        healthy: { interval: 1, successes: 1, http_statuses: [200] },
        unhealthy: { interval: 1, http_failures: 1, tcp_failures: 1, timeouts: 2, http_statuses: [429, 500, 502, 503, 504] },
      },
      passive: { type: 'http', unhealthy: { tcp_failures: 1, timeouts: 0, http_failures: 0 } },
    },
  };
}

/** On every request: an id that the API's own rule accepts, and CORS as the API gives it. */
function globalPlugins(origins) {
  return [
    // Not echoed here: the API returns the id that it took, which is another one when the caller's own was not acceptable.
    { name: 'correlation-id', config: { header_name: 'x-request-id', generator: 'uuid', echo_downstream: false } },
    {
      name: 'cors',
      config: {
        origins: [...origins],
        methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
        exposed_headers: EXPOSED,
        credentials: false,
        max_age: 600,
        preflight_continue: false,
      },
    },
  ];
}

async function main(args) {
  const at = args.indexOf('--origins');
  const origins = at < 0 ? [] : (args[at + 1] ?? '').split(',').filter(Boolean);
  const wrong = origins.filter((each) => !URL.canParse(each) || new URL(each).origin !== each);
  if (origins.length === 0 || wrong.length > 0)
    throw new StepError(
      `usage: node scripts/sync/kong.mjs --origins https://console.example.org[,…]${wrong.map((each) => `; not ${each}`)}`,
    );
  const document = JSON.parse(readFileSync(join(ROOT, 'deploy', 'openapi.json'), 'utf8'));
  process.stdout.write(kongYaml(document, { origins }));
}

if (isProgram(import.meta.url)) await exitWith(() => main(process.argv.slice(2)));
