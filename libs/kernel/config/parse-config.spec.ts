import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError } from './config-error';
import { parseConfig } from './parse-config';
import { productRoot } from './product-root';

const STRONG = 'k7Hq2vXw9TzLpR4mBn8sYd3fGc6jUa1e';

function faultsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('parseConfig', () => {
  it('answers the embedded defaults for an empty environment', () => {
    expect(parseConfig({})).toEqual({
      role: 'api',
      production: false,
      http: {
        host: '127.0.0.1',
        port: 10200,
        loopback: true,
        publicUrl: 'http://127.0.0.1:10200',
        trustedProxies: [],
        corsOrigins: [],
        publicHosts: ['localhost', '127.0.0.1', '[::1]'],
        uploadBytes: 52_428_800,
      },
      directory: resolve('.data'),
      logLevel: 'info',
      database: { url: undefined, poolSize: 10, poolOverflow: 20, migrate: 'auto' },
      blobs: { driver: 'files' },
      vectors: { store: 'pgvector' },
      models: {
        directory: resolve('.data', 'models'),
        chat: 'smollm2-135m-instruct',
        embedding: 'all-minilm-l6-v2',
        threads: undefined,
        coldSeconds: 300,
        firstTokenSeconds: 120,
        idleSeconds: 60,
        concurrency: { of: {} },
        queue: { of: {} },
        queueSeconds: 300,
        allow: [],
        aliases: {},
      },
      redis: { url: undefined },
      rabbitmq: { url: undefined },
      neo4j: { url: undefined, user: 'neo4j', password: undefined },
      chroma: { url: undefined },
      qdrant: { url: undefined, apiKey: undefined },
      faiss: { url: undefined, binding: join(productRoot(), 'native', 'faiss-node.node'), named: false },
      consul: { url: undefined, token: undefined, address: undefined },
      kong: { statusUrl: undefined },
      ollama: { urls: [], parallel: 4 },
      egress: { allow: [] },
      metrics: { port: 10_201 },
      auth: {
        registration: 'closed',
        jwtSecret: undefined,
        jwtSecretPrevious: undefined,
        setupToken: undefined,
        adminEmail: undefined,
        adminPassword: undefined,
      },
      limits: { requestsPerMinute: 600 },
      retention: { jobsDays: 30, eventsDays: 7, auditDays: 365 },
      shutdownSeconds: 25,
    });
  });

  it('counts an empty value as unset', () => {
    expect(parseConfig({ PORT: '', DATABASE_URL: '', JWT_SECRET: '', REDIS_URL: '', CORS_ORIGINS: ' ' })).toEqual(parseConfig({}));
  });

  it('freezes every level', () => {
    const config = parseConfig({ PUBLIC_HOSTS: 'a.example' });
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
    expect(() => (config.http.publicHosts as string[]).push('b.example')).toThrow(TypeError);
  });

  it('lists all faults at once, by name', () => {
    const faults = faultsOf({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://app:topsecret@db/app',
      RATE_LIMIT_PER_MINUTE: '0',
      REDIS_URL: 'rediss+tcp://:topsecret@cache',
      CORS_ORIGINS: 'https://ok.example, https://bad.example/path',
      BLOB_URL: 's3://bucket',
      VECTOR_STORE: 'qdrant',
      CHAT_MODEL: 'Not A Slug',
      TRUSTED_PROXIES: '10.0.0.0/33',
    });
    const names = faults.map((fault) => fault.split(':')[0]).sort();
    expect(names).toEqual([
      'BLOB_URL',
      'CHAT_MODEL',
      'CORS_ORIGINS',
      'DATABASE_URL',
      'LOG_LEVEL',
      'PORT',
      'RATE_LIMIT_PER_MINUTE',
      'REDIS_URL',
      'TRUSTED_PROXIES',
      'VECTOR_STORE',
    ]);
    expect(faults.join('\n')).not.toContain('topsecret');
  });

  it('refuses what this release would ignore', () => {
    expect(faultsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT: is not supported by this release.',
    ]);
  });

  it('reads the backing services', () => {
    const config = parseConfig({
      DATABASE_URL: 'postgres://app:secret@db/app',
      REDIS_URL: 'redis://app:secret@cache:6379',
      RABBITMQ_URL: 'amqp://app:secret@broker',
      NEO4J_URL: 'bolt://graph:7687',
      NEO4J_PASSWORD: 'a password',
      CHROMA_URL: 'http://chroma:8000/',
      QDRANT_URL: 'http://qdrant:6333',
      QDRANT_API_KEY: 'key',
      FAISS_URL: 'http://faiss:10103',
      CONSUL_URL: 'http://consul:8500',
      OLLAMA_URL: 'consul://ollama',
      VECTOR_STORE: 'qdrant',
    });
    expect(config.redis.url).toBe('redis://app:secret@cache:6379');
    expect(config.neo4j).toEqual({ url: 'bolt://graph:7687', user: 'neo4j', password: 'a password' });
    expect([config.chroma.url, config.vectors.store, config.ollama]).toEqual([
      'http://chroma:8000',
      'qdrant',
      { urls: [], service: 'ollama', parallel: 4 },
    ]);
    expect(config.blobs.driver).toBe('postgres');
    expect(parseConfig({ FAISS_BINDING: 'off' }).faiss).toEqual({ url: undefined, binding: null, named: true });
    expect(parseConfig({ FAISS_BINDING: '/opt/faiss.node' }).faiss).toEqual({ url: undefined, binding: '/opt/faiss.node', named: true });
    expect(parseConfig({ OLLAMA_URL: 'http://a:1/, http://b:1,http://a:1' }).ollama.urls).toEqual(['http://a:1', 'http://b:1']);
  });

  it.each([
    [{ RABBITMQ_URL: 'amqp://broker' }, 'DATABASE_URL'],
    [{ NEO4J_URL: 'bolt://graph' }, 'NEO4J_PASSWORD'],
    [{ VECTOR_STORE: 'qdrant' }, 'VECTOR_STORE'],
    [{ VECTOR_STORE: 'chroma' }, 'VECTOR_STORE'],
    [{ VECTOR_STORE: 'milvus' }, 'VECTOR_STORE'],
    [{ OLLAMA_URL: 'consul://ollama' }, 'OLLAMA_URL'],
  ])('refuses %j, naming %s', (environment, name) => {
    expect(faultsOf(environment)).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  it.each(['REDIS_URL', 'RABBITMQ_URL', 'NEO4J_URL', 'CHROMA_URL', 'QDRANT_URL', 'FAISS_URL', 'CONSUL_URL', 'KONG_STATUS_URL'])(
    'refuses another scheme in %s without repeating what it holds',
    (name) => {
      const faults = faultsOf({ [name]: 'gopher://app:topsecret@host', DATABASE_URL: 'postgres://db/app' });
      expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}: must be a URL that begins with `))]);
      expect(faults.join()).not.toContain('topsecret');
    },
  );

  it('knows what a process is for', () => {
    expect(parseConfig({ HOST: '0.0.0.0' }, 'faiss')).toMatchObject({ role: 'faiss', http: { port: 10_103 }, metrics: { port: 10_203 } });
    expect(() => parseConfig({}, 'worker')).toThrow(/RABBITMQ_URL.*\n.*DATABASE_URL/);
  });

  it('reads the places and names of foreign models', () => {
    const { models, ollama, egress, metrics } = parseConfig({
      OLLAMA_URL: 'http://127.0.0.1:11434/',
      OLLAMA_NUM_PARALLEL: '2',
      MODEL_CONCURRENCY: '2, qwen3-8b = 4',
      MODEL_QUEUE: 'a=0',
      MODEL_ALLOW: 'qwen3:*, llama3.2:1b',
      MODEL_ALIASES: 'gpt-4o-mini = qwen3-1.7b, text-embedding-3-small=all-minilm-l6-v2',
      EGRESS_ALLOW: 'wiki.intern.example, 10.1.0.0/16',
      METRICS_PORT: '0',
    });
    expect(ollama).toEqual({ urls: ['http://127.0.0.1:11434'], parallel: 2 });
    expect([models.concurrency, models.queue, models.queueSeconds]).toEqual([{ all: 2, of: { 'qwen3-8b': 4 } }, { of: { a: 0 } }, 300]);
    expect(models.allow).toEqual(['qwen3:*', 'llama3.2:1b']);
    expect(models.aliases).toEqual({ 'gpt-4o-mini': 'qwen3-1.7b', 'text-embedding-3-small': 'all-minilm-l6-v2' });
    expect(egress.allow).toEqual(['wiki.intern.example', '10.1.0.0/16']);
    expect(metrics.port).toBe(0);
  });

  it.each([
    { OLLAMA_URL: 'http://a:1,b:1' },
    { OLLAMA_URL: 'consul://Not A Name', CONSUL_URL: 'http://127.0.0.1:8500' },
    { OLLAMA_URL: 'consul://ollama' },
    { OLLAMA_URL: 'ftp://a' },
    { MODEL_CONCURRENCY: '0' },
    { MODEL_CONCURRENCY: 'No Slug=1' },
    { MODEL_QUEUE: 'a=' },
    { OLLAMA_NUM_PARALLEL: '0' },
    { MODEL_ALLOW: '../etc' },
    { MODEL_ALIASES: 'gpt-4o' },
    { MODEL_ALIASES: 'gpt-4o=No Slug' },
    { MODEL_ALIASES: 'a=b=c' },
    { EGRESS_ALLOW: 'http://wiki' },
    { METRICS_PORT: '70000' },
  ])('refuses %j', (environment) => {
    expect(faultsOf(environment)).toHaveLength(1);
  });

  it.each(['-1', '1.5', '0x10', '1e3', 'ten', '99999999999999999999'])('refuses %s as a number', (value) => {
    expect(faultsOf({ PORT: value })).toHaveLength(1);
  });

  describe('in production', () => {
    it.each([{ NODE_ENV: 'production' }, { HOST: '0.0.0.0' }, { HOST: '::' }, { HOST: '192.0.2.7' }, { HOST: 'server.example' }])(
      'by %j demands a signing secret',
      (environment) => {
        expect(faultsOf(environment)).toEqual([expect.stringMatching(/^JWT_SECRET: must be set/)]);
        expect(parseConfig({ ...environment, JWT_SECRET: STRONG }).production).toBe(true);
      },
    );

    it.each([
      ['short', STRONG.slice(0, 31)],
      ['of one letter', 'a'.repeat(64)],
      ['published', 'your-256-bit-secret-your-256-bit-secret'],
      ['published', 'please-CHANGEME-before-production-0z'],
    ])('refuses a secret that is %s', (_, secret) => {
      expect(faultsOf({ HOST: '0.0.0.0', JWT_SECRET: secret })).toEqual([expect.stringMatching(/^JWT_SECRET: /)]);
      expect(faultsOf({ JWT_SECRET: STRONG, JWT_SECRET_PREVIOUS: secret })).toEqual([expect.stringMatching(/^JWT_SECRET_PREVIOUS: /)]);
    });
  });

  it('is not in production on any loopback name', () => {
    for (const HOST of ['localhost', '127.0.0.1', '127.8.0.1', '::1']) expect(parseConfig({ HOST }).production).toBe(false);
  });

  it('accepts the host of PUBLIC_URL and of HOST, never a wildcard', () => {
    const secret = { JWT_SECRET: STRONG };
    const named = parseConfig({ ...secret, HOST: '0.0.0.0', PUBLIC_URL: 'https://Ai.example.org/' }).http;
    expect(named.publicHosts).toEqual(['localhost', '127.0.0.1', '[::1]', 'ai.example.org']);
    expect(named.publicUrl).toBe('https://Ai.example.org');
    expect(parseConfig({ ...secret, HOST: '192.0.2.7' }).http.publicHosts).toContain('192.0.2.7');
    expect(parseConfig({ ...secret, PUBLIC_HOSTS: 'A.example, [2001:db8::1]' }).http.publicHosts).toEqual(['a.example', '[2001:db8::1]']);
    expect(faultsOf({ PUBLIC_HOSTS: 'https://a.example' })).toHaveLength(1);
    expect(faultsOf({ PUBLIC_HOSTS: 'a.example:80' })).toHaveLength(1);
  });

  it('needs both halves of the first admin', () => {
    expect(faultsOf({ ADMIN_EMAIL: 'admin@example.org' })).toEqual([expect.stringMatching(/^ADMIN_PASSWORD: /)]);
    expect(faultsOf({ ADMIN_PASSWORD: 'long enough to be one' })).toEqual([expect.stringMatching(/^ADMIN_EMAIL: /)]);
    expect(faultsOf({ ADMIN_EMAIL: 'admin', ADMIN_PASSWORD: 'short' })).toHaveLength(2);
  });

  describe('secrets in files', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'sutazai-config-'));
      writeFileSync(join(folder, 'secret'), `${STRONG}\n`);
      writeFileSync(join(folder, 'empty'), '\n');
      writeFileSync(join(folder, 'url'), 'postgres://app:pw@127.0.0.1:5432/app\n');
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('are read without their last line end', () => {
      const config = parseConfig({ JWT_SECRET_FILE: join(folder, 'secret'), DATABASE_URL_FILE: join(folder, 'url') });
      expect(config.auth.jwtSecret).toBe(STRONG);
      expect(config.database.url).toBe('postgres://app:pw@127.0.0.1:5432/app');
    });

    it.each(['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'SETUP_TOKEN', 'ADMIN_PASSWORD', 'DATABASE_URL'])(
      '%s_FILE must be there and hold something',
      (name) => {
        const other: Record<string, string> = name === 'ADMIN_PASSWORD' ? { ADMIN_EMAIL: 'a@example.org' } : {};
        expect(faultsOf({ ...other, [`${name}_FILE`]: join(folder, 'absent') })[0]).toMatch(new RegExp(`^${name}_FILE: .*ENOENT`));
        expect(faultsOf({ ...other, [`${name}_FILE`]: join(folder, 'empty') })[0]).toMatch(new RegExp(`^${name}_FILE: .*empty`));
      },
    );

    it('are refused beside the setting itself', () => {
      expect(faultsOf({ JWT_SECRET: STRONG, JWT_SECRET_FILE: join(folder, 'secret') })).toEqual([
        expect.stringMatching(/^JWT_SECRET: is set together/),
      ]);
    });
  });
});
