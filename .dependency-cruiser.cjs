// The arrows of the architecture: apps -> features -> backing -> kernel, one door for each lib, drivers in one place.
// Every rule has a seeded breach in test/structure/arrows.spec.ts.

/** Packages that speak to the outside world, and the only folder that may import each. */
const DRIVERS = [
  {
    packages: ['pg', 'typeorm', '@electric-sql/pglite', '@electric-sql/pglite-pgvector', 'sql-template-tag'],
    home: '^libs/backing/postgres/',
  },
  { packages: ['node-llama-cpp'], home: '^libs/backing/llama-cpp/' },
  { packages: ['@node-rs/argon2', '@nestjs/jwt'], home: '^libs/features/auth/' },
  { packages: ['pino'], home: '^libs/kernel/log/' },
  {
    packages: ['unpdf', 'mammoth', 'linkedom', '@mozilla/readability', 'turndown', 'csv-parse', 'yauzl', 'chardet'],
    home: '^libs/backing/parsers/formats/',
  },
  { packages: ['undici'], home: '^libs/backing/(egress|ollama|faiss|kong)/' },
  { packages: ['ioredis'], home: '^libs/backing/redis/' },
  { packages: ['amqplib', 'amqp-connection-manager'], home: '^libs/backing/rabbitmq/' },
  { packages: ['neo4j-driver'], home: '^libs/backing/neo4j/' },
  { packages: ['chromadb'], home: '^libs/backing/chroma/' },
  { packages: ['@qdrant/js-client-rest'], home: '^libs/backing/qdrant/' },
  { packages: ['faiss-node'], home: '^libs/backing/faiss/' },
  { packages: ['consul'], home: '^libs/backing/consul/' },
  { packages: ['cockatiel'], home: '^libs/kernel/calls/' },
];
/** HTTP, message transports and their frameworks. */
const TRANSPORTS = ['fastify', '@fastify/.+', '@nestjs/platform-fastify', '@nestjs/swagger', '@nestjs/microservices'];

/** Modules of Node by which one speaks to other machines, and by which programs and code are started. */
const WAYS_OUT = ['https', 'http2', 'tls', 'dns', 'dgram'];
const PROGRAMS = ['child_process', 'vm', 'inspector', 'cluster', 'repl', 'wasi'];
/** Clients that would be a second door. */
const HTTP_CLIENTS = ['axios', 'got', 'ky', 'needle', 'node-fetch', 'request', 'superagent', 'ws'];

const ofNode = (modules) => `^(node:)?(${modules.join('|')})(/|$)`;
const inModules = (packages) => `(^|/)node_modules/(${packages.join('|')})(/|$)`;

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'kernel-stands-alone', severity: 'error', from: { path: '^libs/kernel/' }, to: { path: '^(apps|libs/(features|backing))/' } },
    { name: 'backing-knows-the-kernel-only', severity: 'error', from: { path: '^libs/backing/' }, to: { path: '^(apps|libs/features)/' } },
    {
      name: 'backing-libs-are-strangers',
      severity: 'error',
      from: { path: '^libs/backing/([^/]+)/' },
      to: { path: '^libs/backing/', pathNot: '^libs/backing/$1/' },
    },
    { name: 'features-know-no-app', severity: 'error', from: { path: '^libs/features/' }, to: { path: '^apps/' } },
    {
      name: 'features-know-no-transport',
      severity: 'error',
      from: { path: '^libs/features/' },
      to: { path: inModules(TRANSPORTS) },
    },
    {
      name: 'apps-never-each-other',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'one-door',
      severity: 'error',
      comment: 'From outside, a lib is its index.ts; an attack on a guard that stands behind another meets it where it stands.',
      from: { path: '^(apps|test)/', pathNot: '^test/attacks/(cases|properties)/' },
      to: { path: '^libs/[^/]+/[^/]+/.+', pathNot: '^libs/[^/]+/[^/]+/index\\.ts$' },
    },
    {
      name: 'one-door-between-libs',
      severity: 'error',
      from: { path: '^libs/([^/]+)/([^/]+)/' },
      to: { path: '^libs/[^/]+/[^/]+/.+', pathNot: ['^libs/$1/$2/', '^libs/[^/]+/[^/]+/index\\.ts$'] },
    },
    {
      name: 'nobody-inside-uses-the-door',
      severity: 'error',
      from: { path: '^libs/([^/]+)/([^/]+)/' },
      to: { path: '^libs/$1/$2/index\\.ts$' },
    },
    ...DRIVERS.map(({ packages, home }) => ({
      name: `driver-at-home-${packages[0]}`,
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [home] },
      to: { path: inModules(packages) },
    })),
    {
      name: 'one-way-out',
      severity: 'error',
      comment: 'What names of `node:http` and `node:net` may be imported, and that nobody calls `fetch`, is said by the linter.',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/backing/egress/', '\\.spec\\.ts$'] },
      to: { path: [ofNode(WAYS_OUT), inModules(HTTP_CLIENTS)] },
    },
    {
      name: 'programs-at-home',
      severity: 'error',
      comment:
        'Two places start one program each: the download of a model by the command that people use, and FAISS, which may abort and must not take the server along.',
      from: {
        path: '^(apps|libs)/',
        pathNot: ['^libs/features/models/pulls/built-in-download\\.ts$', '^libs/backing/faiss/child/faiss-child\\.ts$', '\\.spec\\.ts$'],
      },
      to: { path: ofNode(PROGRAMS) },
    },
    {
      name: 'parsers-in-their-thread',
      severity: 'error',
      comment: 'What reads untrusted files runs in a thread of its own; outside, only the guess of a delimiter and the shapes are needed.',
      from: { path: '^libs/backing/parsers/[^/]+\\.ts$', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/backing/parsers/formats/', pathNot: '/(delimiter|parsed-text)\\.ts$' },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^test/', '\\.spec\\.ts$', inModules(['@nestjs/testing', 'jest', 'fast-check'])] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: { path: '^(apps|libs)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['main', 'types'],
    },
  },
};
