import { CATALOGUE } from '@backing/llama-cpp';
import { OllamaClient, OllamaRuntime } from '@backing/ollama';
import type { AppConfig } from '@kernel/config';
import { FixedServers } from '@kernel/discovery';
import { loadScript } from '../scripts/load-script';

/** The built-in models as the test server has them. */
export const OLLAMA_CHAT = 'smollm2:135m-instruct-q4_1';
export const OLLAMA_EMBEDDING = 'all-minilm:l6-v2';

const url = process.env.TEST_OLLAMA_URL;

/** Runs a suite with the real Ollama at TEST_OLLAMA_URL. Without it the suite is shown as skipped; with REQUIRE_SERVICES=1 it fails. */
export function describeOllama(name: string, suite: (url: string) => void): void {
  if (url !== undefined) describe(name, () => suite(url));
  else if (process.env.REQUIRE_SERVICES === '1') it(`${name}: TEST_OLLAMA_URL is not set`, () => expect(url).toBeDefined());
  else describe.skip(`${name}: no server at TEST_OLLAMA_URL`, () => suite(''));
}

export interface OllamaRig {
  client: OllamaClient;
  runtime: OllamaRuntime;
}

/** The runtime as the application makes it; end the client with `onApplicationShutdown`. */
export function openOllama(address: string | string[], limits: Partial<AppConfig['models']> = {}): OllamaRig {
  const client = new OllamaClient(new FixedServers([address].flat()));
  const runtime = new OllamaRuntime(client, CATALOGUE, { coldSeconds: 60, firstTokenSeconds: 60, idleSeconds: 60, ...limits });
  return { client, runtime };
}

/** An Ollama of the test's own, to be changed and killed. */
export interface OwnOllama {
  url: string;
  pid: number;
  directory: string;
  log(): Promise<string>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export async function startOwnOllama(environment: Record<string, string> = {}): Promise<OwnOllama> {
  const { startOllama } = await loadScript<{ startOllama(options: { environment: Record<string, string> }): Promise<OwnOllama> }>(
    'services.mjs',
  );
  return startOllama({ environment });
}

/** Gives a model of that server another name, so that no other runtime has it. */
export async function copyModel(url: string, source: string, destination: string): Promise<void> {
  const answer = await fetch(`${url}/api/copy`, { method: 'POST', body: JSON.stringify({ source, destination }) });
  if (!answer.ok) throw new Error(`Copying ${source} answered ${answer.status}.`);
}
