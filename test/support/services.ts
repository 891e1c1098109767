import { loadScript } from '../scripts/load-script';

/** A real server that a test may kill, pause and start again: see scripts/services/server.mjs. */
export interface TestServer {
  url: string;
  port: number;
  pid: number;
  directory: string;
  /** Further settings that a client needs: user names, passwords, keys. */
  credentials?: Record<string, string>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  log(): Promise<string>;
}

type Starter = (options?: { directory?: string; port?: number }) => Promise<TestServer>;

/** The variable by which the test command says where the shared server of a service is. */
export const SHARED = {
  redis: 'TEST_REDIS_URL',
  rabbitmq: 'TEST_RABBITMQ_URL',
  neo4j: 'TEST_NEO4J_URL',
  chroma: 'TEST_CHROMA_URL',
  qdrant: 'TEST_QDRANT_URL',
  consul: 'TEST_CONSUL_URL',
  ollama: 'TEST_OLLAMA_URL',
} as const;

/** `describe` against the shared server: a failure where REQUIRE_SERVICES=1 says that it must be there, a visible skip elsewhere. */
export function describeService(service: keyof typeof SHARED, name: string, suite: (url: string) => void): void {
  const variable = SHARED[service];
  const url = process.env[variable];
  if (url !== undefined && url !== '') describe(name, () => suite(url));
  else if (process.env.REQUIRE_SERVICES === '1') it(`${name}: ${variable} is not set`, () => expect(url).toBeDefined());
  else describe.skip(`${name}: no server at ${variable}`, () => suite(''));
}

/** Starts a server of the test's own, by the script that also starts the shared one: `startServerOf('redis', 'startRedis')`. */
export async function startServerOf(file: string, starter: string, options?: Parameters<Starter>[0]): Promise<TestServer> {
  const module = await loadScript<Record<string, Starter>>(`services/${file}.mjs`);
  const start = module[starter];
  if (start === undefined) throw new Error(`${file}.mjs has no ${starter}.`);
  return start(options);
}
