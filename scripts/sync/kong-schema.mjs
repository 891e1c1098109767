// What kong.yml may hold: the declarative format 3.0 of Kong 3.9, as far as it is used here. A key that is not named is refused, as Kong does.
import { z } from 'zod';

/** Kong's own bounds: timeouts and intervals. */
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 2);
const seconds = z.number().min(0).max(65_535);
const count = z.int().min(0).max(255);
const statuses = z.array(z.int().min(100).max(999)).min(1);
const name = z.string().regex(/^[\w.~-]+$/);
const method = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** A prefix, or after ~ a regular expression. */
const path = z
  .string()
  .regex(/^~?\/\S*$/)
  .refine((text) => !text.startsWith('~') || isPattern(text.slice(1)), 'is no regular expression');
const header = z.string().regex(/^[A-Za-z0-9-]+$/);
const origin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, 'is no origin');

const rateLimiting = z
  .strictObject({
    second: z.number().positive().optional(),
    minute: z.number().positive().optional(),
    hour: z.number().positive().optional(),
    limit_by: z.enum(['consumer', 'credential', 'ip', 'service', 'header', 'path', 'consumer-group']),
    // `cluster` needs a database.
    policy: z.enum(['local', 'redis']),
    hide_client_headers: z.boolean(),
    fault_tolerant: z.boolean().optional(),
    error_code: z.int().optional(),
    error_message: z.string().optional(),
  })
  .refine(({ second, minute, hour }) => (second ?? minute ?? hour) !== undefined, 'needs a limit');

/** The keys of each plugin that is used; docker-compose.yml loads these and no other. */
const plugin = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('rate-limiting'), config: rateLimiting }),
  z.strictObject({
    name: z.literal('request-size-limiting'),
    config: z.strictObject({
      allowed_payload_size: z.int().positive(),
      size_unit: z.enum(['bytes', 'kilobytes', 'megabytes']),
      require_content_length: z.boolean().optional(),
    }),
  }),
  z.strictObject({
    name: z.literal('correlation-id'),
    config: z.strictObject({
      header_name: header,
      // The others put a # into the id, which the API does not accept.
      generator: z.literal('uuid'),
      echo_downstream: z.boolean(),
    }),
  }),
  z.strictObject({
    name: z.literal('cors'),
    config: z.strictObject({
      // Without one Kong would answer *.
      origins: z.array(origin).min(1),
      methods: z.array(method).min(1),
      headers: z.array(header).optional(),
      exposed_headers: z.array(header),
      credentials: z.boolean(),
      max_age: z.int().nonnegative(),
      preflight_continue: z.boolean(),
      private_network: z.boolean().optional(),
    }),
  }),
]);

const route = z.strictObject({
  name,
  protocols: z.array(z.enum(['http', 'https'])).min(1),
  methods: z.array(method).min(1).optional(),
  paths: z.array(path).min(1),
  strip_path: z.boolean(),
  preserve_host: z.boolean(),
  regex_priority: z.int().optional(),
  path_handling: z.enum(['v0', 'v1']).optional(),
  request_buffering: z.boolean(),
  response_buffering: z.boolean(),
  plugins: z.array(plugin),
});

const service = z.strictObject({
  name,
  protocol: z.enum(['http', 'https']),
  host: z.string().regex(/^[a-z0-9.-]+$/),
  port: z.int().min(0).max(65_535),
  retries: z.int().min(0).max(32_767),
  connect_timeout: milliseconds,
  read_timeout: milliseconds,
  write_timeout: milliseconds,
  routes: z.array(route).min(1),
});

const healthchecks = z.strictObject({
  threshold: z.number().min(0).max(100).optional(),
  active: z.strictObject({
    type: z.enum(['http', 'https', 'tcp']),
    http_path: z.string().startsWith('/'),
    timeout: seconds,
    concurrency: z.int().positive(),
    headers: z.record(header, z.array(z.string())).optional(),
    healthy: z.strictObject({ interval: seconds, successes: count, http_statuses: statuses }),
    unhealthy: z.strictObject({ interval: seconds, http_failures: count, tcp_failures: count, timeouts: count, http_statuses: statuses }),
  }),
  passive: z.strictObject({
    type: z.enum(['http', 'https', 'tcp']),
    healthy: z.strictObject({ successes: count, http_statuses: statuses }).optional(),
    unhealthy: z.strictObject({ http_failures: count, tcp_failures: count, timeouts: count, http_statuses: statuses.optional() }),
  }),
});

const upstream = z.strictObject({
  name: z.string().regex(/^[a-z0-9.-]+$/),
  algorithm: z.enum(['round-robin', 'least-connections', 'consistent-hashing', 'latency']),
  targets: z.array(z.strictObject({ target: z.string().regex(/^[a-z0-9.-]+:\d{1,5}$/), weight: z.int().min(0).max(65_535) })).min(1),
  healthchecks,
});

const config = z.strictObject({
  _format_version: z.literal('3.0'),
  _transform: z.boolean(),
  services: z.array(service).min(1),
  upstreams: z.array(upstream),
  plugins: z.array(plugin),
});

/** With what no single part can say: names are given once, and a service's host is an upstream of this file. */
export const kongSchema = config.superRefine((value, context) => {
  const routes = value.services.flatMap((each) => each.routes);
  for (const [kind, entries] of Object.entries({ service: value.services, route: routes, upstream: value.upstreams }))
    for (const double of doubles(entries.map((each) => each.name)))
      context.addIssue({ code: 'custom', message: `two of kind ${kind} are named ${double}` });
  const places = { global: value.plugins, ...Object.fromEntries(routes.map((each) => [each.name, each.plugins])) };
  for (const [place, plugins] of Object.entries(places))
    for (const double of doubles(plugins.map((each) => each.name)))
      context.addIssue({ code: 'custom', message: `${place} has ${double} twice` });
  for (const { name: named, host } of value.services)
    if (!value.upstreams.some((each) => each.name === host))
      context.addIssue({ code: 'custom', message: `${named}: there is no upstream ${host}` });
});

function doubles(names) {
  return names.filter((each, at) => names.indexOf(each) !== at);
}

function isPattern(text) {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
