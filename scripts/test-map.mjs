// npm run test:map [-- --short] [-- STORE…]: the end-to-end suites of the main job, unchanged, on the whole map: PostgreSQL, Redis, RabbitMQ with a worker of its
// own, Neo4j, Consul, Ollama and each vector store in turn. The last line is "N passed, N failed".
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ensureModels } from './models.mjs';
import { keptServices } from './services/kept.mjs';
import { SERVICES, startService, variablesOf } from './services/table.mjs';
import { toolEntry } from './toolchain.mjs';
import { ROOT, environmentFor, exitWith, runForeground, say } from './toolchain/process.mjs';

const STORES = ['pgvector', 'chroma', 'qdrant', 'faiss'];
/**
 * From a clone to a cited answer of one's own document: accounts, documents, questions; in short only the last step with what it stands on. Suites that plan
 * what the model of their own process says (chat-branches) are not among them: here a worker asks the model.
 */
const SUITES = 'e2e/(auth|documents|document-changes|chat|chat-grounded|usage)\\.spec';
const SHORT = 'e2e/(documents|chat-grounded)\\.spec';
const JEST = ['--experimental-vm-modules', '--no-warnings'];

await exitWith(async () => {
  const args = process.argv.slice(2);
  const suites = args.includes('--short') ? SHORT : SUITES;
  const named = args.filter((arg) => arg !== '--short');
  const stores = named.length > 0 ? named : STORES;
  const code = await ensureModels(process.execPath);
  if (code !== 0) return code;
  const started = [];
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-map-'));
  const sum = { passed: 0, failed: 0 };
  try {
    const { settings, variables } = await wholeMap(started);
    for (const store of stores) count(sum, store, await runOn(store, { settings, variables, folder, suites }));
  } finally {
    await Promise.allSettled(started.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed\n`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
});

/** Servers that `services:up` keeps are used as they are; others are started for this run alone. */
async function wholeMap(started) {
  const kept = (await keptServices()) ?? {};
  const settings = {};
  const variables = {};
  await Promise.all(
    Object.keys(SERVICES).map(async (name) => {
      // A graph that others read must not keep what databases held that are dropped again.
      const server = name !== 'neo4j' && kept[name]?.state === 'up' ? kept[name] : await startService(name);
      if (server !== kept[name]) started.push(server);
      Object.assign(variables, variablesOf(name, server));
      // Each suite has a database of its own on the server.
      if (name !== 'postgres') Object.assign(settings, SERVICES[name].settings(server));
    }),
  );
  return { settings: { ...settings, RABBITMQ_MANAGEMENT: variables.TEST_RABBITMQ_MANAGEMENT }, variables };
}

async function runOn(store, { settings, variables, folder, suites }) {
  say(`The main job on the whole map, vectors in ${store}:`);
  const results = join(folder, `${store}.json`);
  const env = environmentFor(process.execPath, { ...variables, TEST_FULL_MAP: JSON.stringify({ ...settings, VECTOR_STORE: store }) });
  const chosen = ['--selectProjects', 'e2e', '--testPathPatterns', suites, '--testNamePattern', 'PostgreSQL 16'];
  await runForeground(process.execPath, [...JEST, relative(ROOT, toolEntry('jest')), '--json', `--outputFile=${results}`, ...chosen], {
    env,
  });
  return JSON.parse(readFileSync(results, 'utf8'));
}

function count(sum, store, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites }) {
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  say(`${store}: ${numPassedTests} passed, ${failed} failed`);
  sum.passed += numPassedTests;
  sum.failed += failed;
}
