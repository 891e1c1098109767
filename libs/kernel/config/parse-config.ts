import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { AppConfig, PerModel, ProcessRole } from './app-config';
import { type ServicesPart, servicesPart } from './services-part';
import { type Environment, SettingReader } from './setting-reader';
import { weakness } from './weak-secret';

/** Settings of parts that this release does not have: setting one is a fault, for silence would look like consent. */
const UNSUPPORTED = ['OTEL_EXPORTER_OTLP_ENDPOINT'];
/** Usual ports of a process and of its metrics. */
const PORTS: Record<ProcessRole, { http: number; metrics: number }> = {
  api: { http: 10_200, metrics: 10_201 },
  worker: { http: 0, metrics: 10_202 },
  faiss: { http: 10_103, metrics: 10_203 },
};
const MEBIBYTE = 1_048_576;
const GIBIBYTE = 1_073_741_824;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;
const MODEL_ID = /^[a-z0-9][a-z0-9._:-]{0,127}$/;
const PER_MODEL = /^(?:([^=\s]+)\s*=\s*)?(\d{1,6})$/;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

type Part<Name extends keyof AppConfig> = AppConfig[Name];

/**
 * The one reader of the environment: every setting, typed and deeply frozen, for a process of this role. Throws a `ConfigError` with all faults
 * at once. An empty string counts as unset; every secret may come as `NAME_FILE`.
 */
export function parseConfig(environment: Environment = process.env, role: ProcessRole = 'api'): AppConfig {
  const settings = new SettingReader(environment);
  for (const name of UNSUPPORTED.flatMap((known) => [known, `${known}_FILE`])) {
    if (settings.text(name) !== undefined) settings.fault(name, 'is not supported by this release.');
  }
  const http = httpPart(settings, role);
  const production = settings.text('NODE_ENV') === 'production' || !http.loopback;
  const directory = resolve(settings.text('DATA_DIR') ?? '.data');
  const database = databasePart(settings);
  const services = servicesPart(settings);
  assertTogether(settings, role, { database, services });
  const config: AppConfig = {
    ...services,
    role,
    production,
    http,
    directory,
    logLevel: settings.choice('LOG_LEVEL', LOG_LEVELS) ?? 'info',
    database,
    models: modelsPart(settings, directory),
    egress: { allow: settings.list('EGRESS_ALLOW', wrongDestination) ?? [] },
    metrics: { port: settings.integer('METRICS_PORT', { least: 0, most: 65_535 }) ?? PORTS[role].metrics },
    auth: authPart(settings, production && role === 'api'),
    limits: { requestsPerMinute: settings.integer('RATE_LIMIT_PER_MINUTE', { least: 1, most: 10_000_000 }) ?? 600 },
    retention: retentionPart(settings),
    shutdownSeconds: settings.integer('SHUTDOWN_SECONDS', { least: 1, most: 600 }) ?? 25,
  };
  settings.finish();
  return deepFreeze(config);
}

function httpPart(settings: SettingReader, role: ProcessRole): Part<'http'> {
  const host = settings.text('HOST') ?? '127.0.0.1';
  if (isIP(host) === 0 && !HOST_NAME.test(host)) settings.fault('HOST', `must be an address or a host name, not "${host}".`);
  const port = settings.integer('PORT', { least: 0, most: 65_535 }) ?? PORTS[role].http;
  const named = settings.url('PUBLIC_URL', settings.text('PUBLIC_URL'), ['http:', 'https:']);
  const own = isIP(host) === 6 ? `[${host}]` : host;
  const wildcard = host === '0.0.0.0' || host === '::';
  const reachable = wildcard ? (host === '::' ? '[::1]' : '127.0.0.1') : own;
  const publicUrl = (named ?? `http://${reachable}:${port}`).replace(/\/+$/, '');
  const hosts = settings.list('PUBLIC_HOSTS', wrongHost) ?? [
    ...LOOPBACK_NAMES,
    ...(wildcard ? [] : [own]),
    ...(named === undefined ? [] : [new URL(named).hostname]),
  ];
  return {
    host,
    port,
    loopback: host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host),
    publicUrl,
    trustedProxies: settings.list('TRUSTED_PROXIES', wrongNetwork) ?? [],
    corsOrigins: settings.list('CORS_ORIGINS', wrongOrigin) ?? [],
    publicHosts: [...new Set(hosts.map((name) => name.toLowerCase()))],
    uploadBytes: settings.integer('MAX_UPLOAD_BYTES', { least: 1, most: GIBIBYTE }) ?? 50 * MEBIBYTE,
  };
}

function databasePart(settings: SettingReader): Part<'database'> {
  return {
    url: settings.url('DATABASE_URL', settings.secret('DATABASE_URL'), ['postgres:', 'postgresql:']),
    poolSize: settings.integer('DATABASE_POOL_SIZE', { least: 1, most: 1_000 }) ?? 10,
    poolOverflow: settings.integer('DATABASE_POOL_OVERFLOW', { least: 0, most: 1_000 }) ?? 20,
    migrate: settings.choice('MIGRATE', ['auto', 'off']) ?? 'auto',
  };
}

/** Several processes share a database, never the embedded one. */
function assertTogether(settings: SettingReader, role: ProcessRole, parts: { database: Part<'database'>; services: ServicesPart }): void {
  const { database, services } = parts;
  const shared = services.rabbitmq.url !== undefined;
  if (role === 'worker' && !shared) settings.fault('RABBITMQ_URL', 'must be set for a worker of its own: it takes its jobs from there.');
  if (database.url === undefined && (role === 'worker' || shared))
    settings.fault(
      'DATABASE_URL',
      'must be set too: with RABBITMQ_URL several processes work on one database, which the embedded one cannot serve.',
    );
}

function modelsPart(settings: SettingReader, directory: string): Part<'models'> {
  const seconds = (name: string, usual: number) => settings.integer(name, { least: 1, most: 3_600 }) ?? usual;
  const slug = (name: string, usual: string) => {
    const value = settings.text(name) ?? usual;
    if (!MODEL_ID.test(value)) settings.fault(name, `must be the id of a model, not "${value}".`);
    return value;
  };
  const perModel = (name: string, range: { least: number; most: number }) => modelNumbers(settings, name, range);
  // Read by `npm start`, which fetches the models; a wrong address is better found here than in the middle of a download.
  settings.url('MODELS_MIRROR', settings.text('MODELS_MIRROR'), ['http:', 'https:']);
  return {
    directory: resolve(settings.text('MODELS_DIR') ?? resolve(directory, 'models')),
    chat: slug('CHAT_MODEL', 'smollm2-135m-instruct'),
    embedding: slug('EMBEDDING_MODEL', 'all-minilm-l6-v2'),
    threads: settings.integer('MODEL_THREADS', { least: 1, most: 256 }),
    coldSeconds: seconds('MODEL_COLD_SECONDS', 300),
    firstTokenSeconds: seconds('MODEL_FIRST_TOKEN_SECONDS', 120),
    idleSeconds: seconds('MODEL_IDLE_SECONDS', 60),
    concurrency: perModel('MODEL_CONCURRENCY', { least: 1, most: 1_024 }),
    queue: perModel('MODEL_QUEUE', { least: 0, most: 10_000 }),
    queueSeconds: seconds('MODEL_QUEUE_SECONDS', 300),
    allow: settings.list('MODEL_ALLOW', wrongPattern) ?? [],
    aliases: aliasesOf(settings.list('MODEL_ALIASES', wrongAlias) ?? []),
  };
}

/** `4`, `qwen3-8b=2`, or both. */
function modelNumbers(settings: SettingReader, name: string, { least, most }: { least: number; most: number }): PerModel {
  const wrong = (part: string): string | undefined => {
    const [, id, number] = PER_MODEL.exec(part) ?? [];
    const right = Number(number) >= least && Number(number) <= most && (id === undefined || MODEL_ID.test(id));
    return right ? undefined : `"${part}" must be a whole number from ${least} to ${most}, or model-id=number.`;
  };
  const parts = (settings.list(name, wrong) ?? []).map((part) => PER_MODEL.exec(part) ?? []);
  const all = parts.find(([, id]) => id === undefined)?.[2];
  return {
    ...(all === undefined ? {} : { all: Number(all) }),
    of: Object.fromEntries(parts.flatMap(([, id, number]) => (id === undefined ? [] : [[id, Number(number)]]))),
  };
}

function aliasesOf(pairs: string[]): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2).map((part) => part.trim())));
}

function authPart(settings: SettingReader, production: boolean): Part<'auth'> {
  const jwtSecret = settings.secret('JWT_SECRET');
  const jwtSecretPrevious = settings.secret('JWT_SECRET_PREVIOUS');
  const setupToken = settings.secret('SETUP_TOKEN');
  if (jwtSecret === undefined && production) {
    settings.fault('JWT_SECRET', 'must be set in production (NODE_ENV=production, or HOST beyond loopback): "openssl rand -base64 48".');
  }
  for (const [name, secret] of Object.entries({ JWT_SECRET: jwtSecret, JWT_SECRET_PREVIOUS: jwtSecretPrevious })) {
    const message = secret === undefined ? undefined : weakness(secret);
    if (message !== undefined) settings.fault(name, message);
  }
  if (setupToken !== undefined && setupToken.length < 16) settings.fault('SETUP_TOKEN', 'must have at least 16 characters.');
  const registration = settings.choice('AUTH_REGISTRATION', ['closed', 'open', 'invite']) ?? 'closed';
  return { registration, jwtSecret, jwtSecretPrevious, setupToken, ...firstAdmin(settings) };
}

function firstAdmin(settings: SettingReader): { adminEmail?: string; adminPassword?: string } {
  const adminEmail = settings.text('ADMIN_EMAIL');
  const adminPassword = settings.secret('ADMIN_PASSWORD');
  if (adminEmail !== undefined && !/^[^\s@]+@[^\s@]+$/.test(adminEmail)) settings.fault('ADMIN_EMAIL', 'must be an e-mail address.');
  if ((adminEmail === undefined) !== (adminPassword === undefined)) {
    const missing = adminEmail === undefined ? 'ADMIN_EMAIL' : 'ADMIN_PASSWORD';
    settings.fault(missing, 'must be set too: ADMIN_EMAIL and ADMIN_PASSWORD belong together.');
  }
  if (adminPassword !== undefined && adminPassword.length < 12) settings.fault('ADMIN_PASSWORD', 'must have at least 12 characters.');
  return { adminEmail, adminPassword };
}

function retentionPart(settings: SettingReader): Part<'retention'> {
  const days = (name: string, usual: number) => settings.integer(name, { least: 1, most: 36_500 }) ?? usual;
  return {
    jobsDays: days('RETENTION_JOBS_DAYS', 30),
    eventsDays: days('RETENTION_EVENTS_DAYS', 7),
    auditDays: days('RETENTION_AUDIT_DAYS', 365),
  };
}

function wrongHost(name: string): string | undefined {
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return isIP(bare) > 0 || HOST_NAME.test(name) ? undefined : `"${name}" is not a host name (without scheme and port).`;
}

function wrongDestination(value: string): string | undefined {
  return wrongNetwork(value) === undefined || wrongHost(value) === undefined
    ? undefined
    : `"${value}" is neither a host name nor a network.`;
}

function wrongPattern(pattern: string): string | undefined {
  return /^[a-zA-Z0-9*][a-zA-Z0-9*._:/-]{0,127}$/.test(pattern)
    ? undefined
    : `"${pattern}" is not the name of a model (* stands for any text).`;
}

function wrongAlias(pair: string): string | undefined {
  const [alias = '', id = '', ...rest] = pair.split('=').map((part) => part.trim());
  const right = /^[\w][\w./:-]{0,127}$/.test(alias) && MODEL_ID.test(id) && rest.length === 0;
  return right ? undefined : `"${pair}" is not of the form foreign-name=model-id.`;
}

function wrongNetwork(network: string): string | undefined {
  const [address = '', bits, ...rest] = network.split('/');
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  const right = family > 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  return right ? undefined : `"${network}" is neither an address nor a network such as 10.0.0.0/8.`;
}

function wrongOrigin(origin: string): string | undefined {
  const right = URL.canParse(origin) && ['http:', 'https:'].includes(new URL(origin).protocol) && new URL(origin).origin === origin;
  return right ? undefined : `"${origin}" is not an origin such as https://console.example.org.`;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part);
  return Object.freeze(value);
}
