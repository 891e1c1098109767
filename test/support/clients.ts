import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadScript } from '../scripts/load-script';
import { startApi, type TestApi } from './api';
import { DocumentsOf } from './documents';
import { CHAT, EMBEDDING } from './models';

export const ALIAS = 'gpt-4o-mini';

/** A running server with what the suites in test/clients expect, and the environment that tells them of it. */
export interface ClientRig {
  api: TestApi;
  env: Record<string, string>;
}

export async function startClientRig(): Promise<ClientRig> {
  const env = { RATE_LIMIT_PER_MINUTE: '10000', MODEL_ALIASES: `${ALIAS}=${CHAT}` };
  const api = await startApi({ database: 'embedded', env });
  try {
    return { api, env: await prepared(api) };
  } catch (error) {
    await api.close();
    throw error;
  }
}

async function prepared(api: TestApi): Promise<Record<string, string>> {
  const me = await api.register();
  const documents = new DocumentsOf(api, me);
  const text = 'The harbour office opens at six in the morning. It closes at four in the afternoon. Dogs are welcome.';
  await documents.ready(await documents.upload(text, 'harbour.txt'));
  const slow = { name: 'slow', scopes: ['chat'], limits: { requests_per_minute: 1 } };
  const slowKey = async (): Promise<string> => String((await api.post('/api/v1/auth/keys', slow, me.accessToken)).json.secret);
  return {
    SUTAZAI_URL: api.url,
    SUTAZAI_KEY: await api.key(me.accessToken, ['chat']),
    SUTAZAI_POOR_KEY: await api.key(me.accessToken, ['jobs:read']),
    SUTAZAI_SLOW_KEY: await slowKey(),
    SUTAZAI_SLOW_KEY_2: await slowKey(),
    SUTAZAI_CHAT: CHAT,
    SUTAZAI_EMBEDDING: EMBEDDING,
    SUTAZAI_ALIAS: ALIAS,
    SUTAZAI_COLLECTION: 'default',
  };
}

export interface ClientReport {
  passed: number;
  /** What failed, with all that was said; empty when nothing did. */
  failure: string;
}

/** Runs one suite of test/clients as a process of its own: the client sees a server and nothing else. */
async function runClient({ env }: ClientRig, command: string, args: string[]): Promise<ClientReport> {
  const options = { env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env }, timeout: 300_000, maxBuffer: 16 << 20 };
  const run = await promisify(execFile)(command, args, options).catch((error: Error & { stdout: string; stderr: string }) => ({
    stdout: error.stdout,
    stderr: `${error.message}\n${error.stderr}`,
    failed: true,
  }));
  const passed = Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1] ?? 0);
  return { passed, failure: 'failed' in run ? `${run.stderr}\n${failed(run.stdout)}` : '' };
}

/** The failed cases of a TAP report; all of it when there are none. */
function failed(report: string): string {
  const cases = report.split(/^(?=# Subtest: )/m).filter((part) => /^not ok /m.test(part));
  return cases.length === 0 ? report : cases.join('');
}

/** Runs a suite of the Node test runner. */
export function runNodeClient(rig: ClientRig, file: string): Promise<ClientReport> {
  const path = join(__dirname, '..', 'clients', file);
  return runClient(rig, process.execPath, ['--test', '--test-isolation=none', '--test-reporter=tap', path]);
}

interface PythonScript {
  ensurePythonOpenai(): Promise<{ python: string; path: string }>;
}

/** Runs the suite of the Python client; installs the client on the first call. */
export async function runPythonClient(rig: ClientRig): Promise<ClientReport> {
  const { python, path } = await (await loadScript<PythonScript>('services/python-openai.mjs')).ensurePythonOpenai();
  const env = { ...rig.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' };
  return runClient({ ...rig, env }, python, [join(__dirname, '..', 'clients', 'openai_python.py')]);
}

/** A case of the Python client. Where nobody asked for it it is shown as skipped with what it waits for; with REQUIRE_SERVICES=1 it runs. */
export function itPython(title: string, test: () => Promise<void>, timeout: number): void {
  const wanted = process.env.TEST_PYTHON_OPENAI === '1' || process.env.REQUIRE_SERVICES === '1';
  if (wanted) it(title, test, timeout);
  else it.skip(`${title}: neither TEST_PYTHON_OPENAI nor REQUIRE_SERVICES is set`, test, timeout);
}
