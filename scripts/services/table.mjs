// Every real server that tests and development know: where its script is, on which port of the full deployment it listens, and how both are told of it.

/**
 * `module` and `starter`: the script below scripts/services and its function; `options`: what it is started with for the full deployment (contract, ports);
 * `variable`: by which the tests find a shared one; `settings`: by which the product finds it. `seconds`: about how long the first start takes where its
 * programs must be built first.
 */
export const SERVICES = {
  postgres: {
    label: 'PostgreSQL 16',
    module: 'postgres',
    starter: 'startPostgres',
    options: { port: 10_000 },
    variable: 'TEST_DATABASE_URL',
    settings: ({ url }) => ({ DATABASE_URL: url }),
  },
  redis: {
    label: 'Redis 7',
    module: 'redis',
    starter: 'startRedis',
    options: { port: 10_001 },
    variable: 'TEST_REDIS_URL',
    settings: ({ url }) => ({ REDIS_URL: url }),
  },
  neo4j: {
    label: 'Neo4j 5',
    module: 'neo4j',
    starter: 'startNeo4j',
    options: { port: 10_003, httpPort: 10_002 },
    variable: 'TEST_NEO4J_URL',
    settings: ({ url, credentials }) => ({ NEO4J_URL: url, ...credentials }),
    // A driver takes the name and the password apart from the address: for the tests they travel in it.
    shared: ({ url, credentials }) => withUser(url, credentials?.NEO4J_USER, credentials?.NEO4J_PASSWORD),
  },
  rabbitmq: {
    label: 'RabbitMQ',
    module: 'rabbitmq',
    starter: 'startRabbitmq',
    options: { port: 10_004, managementPort: 10_005 },
    variable: 'TEST_RABBITMQ_URL',
    settings: ({ url }) => ({ RABBITMQ_URL: url }),
    further: ({ management }) => ({ TEST_RABBITMQ_MANAGEMENT: management }),
  },
  consul: {
    label: 'Consul',
    module: 'consul',
    starter: 'startConsul',
    options: { port: 10_006 },
    variable: 'TEST_CONSUL_URL',
    settings: ({ url }) => ({ CONSUL_URL: url }),
    seconds: 600,
  },
  chroma: {
    label: 'Chroma 1.5',
    module: 'chroma',
    starter: 'startChroma',
    options: { port: 10_100 },
    variable: 'TEST_CHROMA_URL',
    settings: ({ url }) => ({ CHROMA_URL: url }),
  },
  qdrant: {
    label: "Qdrant's engine behind a shim",
    module: 'qdrant',
    starter: 'startQdrant',
    options: { port: 10_101 },
    variable: 'TEST_QDRANT_URL',
    settings: ({ url, credentials }) => ({ QDRANT_URL: url, ...credentials }),
    further: ({ credentials }) => ({ TEST_QDRANT_API_KEY: credentials?.QDRANT_API_KEY }),
    note: 'the server is in no package registry: point TEST_QDRANT_URL at a real one',
  },
  faiss: {
    label: 'FAISS service',
    module: 'faiss',
    starter: 'startFaiss',
    options: { port: 10_103 },
    variable: 'TEST_FAISS_URL',
    settings: ({ url }) => ({ FAISS_URL: url }),
  },
  ollama: {
    label: 'Ollama',
    module: 'ollama',
    starter: 'startOllama',
    options: { port: 11_434 },
    variable: 'TEST_OLLAMA_URL',
    settings: ({ url }) => ({ OLLAMA_URL: url }),
    seconds: 120,
  },
};

/** What cannot run without containers, and why. */
export const ABSENT = {
  kong: { label: 'Kong 3.9', port: 10_008, why: 'it comes as a container image only: docker compose runs it' },
};

/** Starts one, on a free port and in a temporary directory unless `options` say otherwise. */
export async function startService(name, options = {}) {
  const { module, starter } = SERVICES[name];
  const script = await import(`./${module}.mjs`);
  return script[starter](options);
}

/** The variables by which the suites find a running one. */
export function variablesOf(name, server) {
  const { variable, shared = ({ url }) => url, further = () => ({}) } = SERVICES[name];
  const all = { [variable]: shared(server), ...further(server) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function withUser(url, user = '', password = '') {
  const whole = new URL(url);
  whole.username = user;
  whole.password = password;
  return whole.href;
}
