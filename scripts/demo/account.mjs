import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, Client } from '../client.mjs';
import { environment, folders } from '../settings.mjs';

const EMAIL = 'demo@example.org';

/** Something that the person at the keyboard has to know; shown as one sentence, without a stack. */
export class Obstacle extends Error {}

/**
 * A client signed in to the running server: by SUTAZAI_TOKEN, by DEMO_EMAIL and DEMO_PASSWORD, by the account that an earlier run made
 * (DATA_DIR/demo.json, mode 0600), or as the first account of a fresh server.
 */
export async function signIn(say = () => undefined) {
  const env = environment();
  const url = env.SUTAZAI_URL || `http://127.0.0.1:${env.PORT || 10200}`;
  await assertRunning(url);
  if (env.SUTAZAI_TOKEN) return new Client(url, env.SUTAZAI_TOKEN);
  const client = new Client(url);
  const stored = join(folders(env).dataDir, 'demo.json');
  for (const account of [fromEnvironment(env), read(stored)].filter(Boolean)) {
    if (!(await succeeds(client.login(account.email, account.password), [401]))) continue;
    say(`Signed in as ${account.email}.`);
    return client;
  }
  await register(client, stored, say);
  return client;
}

async function assertRunning(url) {
  const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  if (ready === undefined) throw new Obstacle(`No server answers at ${url}: start one with "npm start", or set SUTAZAI_URL.`);
  if (!ready.ok) throw new Obstacle(`The server at ${url} is not ready yet (status ${ready.status}); try again in a moment.`);
}

async function register(client, stored, say) {
  const account = { email: EMAIL, password: randomBytes(18).toString('base64url') };
  if (!(await succeeds(client.register(account.email, account.password), [401, 403, 409]))) {
    throw new Obstacle(
      'This server has accounts already: set SUTAZAI_TOKEN to an API key with the scopes chat, documents:read, documents:write and jobs:read, ' +
        'or set DEMO_EMAIL and DEMO_PASSWORD.',
    );
  }
  mkdirSync(join(stored, '..'), { recursive: true });
  writeFileSync(stored, `${JSON.stringify(account)}\n`, { mode: 0o600 });
  say(`Made the first account of this server, ${account.email}; its password is in ${stored}.`);
}

async function succeeds(attempt, refusals) {
  try {
    await attempt;
    return true;
  } catch (error) {
    if (error instanceof ApiError && refusals.includes(error.status)) return false;
    throw error;
  }
}

function fromEnvironment(env) {
  return env.DEMO_EMAIL && env.DEMO_PASSWORD ? { email: env.DEMO_EMAIL, password: env.DEMO_PASSWORD } : undefined;
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
