import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { StepError } from '../toolchain/process.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { startServer } from './server.mjs';

const USER = 'app';
const OLDEST = 7;
const ANSWER_MS = 1_000;
/** What the platform needs and no more: keys and channels under `app:`. */
const RIGHTS = '~app:* &app:* +@all -@dangerous +info +client|setname +client|id +config|get';

/** The program `redis-server`, 7 or newer, of the path; installed by apt where it is missing. `offline` answers undefined instead. */
export async function ensureRedis({ cache = folders().servicesCache, offline = false } = {}) {
  if ((await installedVersion()) === undefined) {
    if (offline) return undefined;
    await installDebianPackages(['redis-server'], { cache, name: 'Redis', instead: 'set TEST_REDIS_URL to one of yours' });
  }
  const version = await installedVersion();
  if (version === undefined || Number.parseInt(version, 10) < OLDEST)
    throw new StepError(`redis-server is ${version ?? 'not there'}, and ${OLDEST} or newer is needed: set TEST_REDIS_URL to one of yours.`);
  return 'redis-server';
}

/**
 * Starts a Redis of its own on loopback: one user `app` with a random password and the rights of `RIGHTS`, the default user switched off, nothing
 * written to disk but the password. `settings` are those of redis.conf, `users` further lines of its access list. Answers as `startServer`, with
 * `url` and `credentials: { user, password }`.
 */
export async function startRedis({ directory, port, settings = {}, users = [] } = {}) {
  const program = await ensureRedis();
  const server = await startServer({
    name: 'Redis',
    directory,
    port,
    prepare: (place) => prepare(place, settings, users),
    command: (place) => ({ program, args: [join(place.directory, 'redis.conf'), '--port', String(place.port)] }),
    ready: (place) => answers(place.port, place.prepared.password),
  });
  const { password } = server.prepared;
  return Object.assign(server, { url: `redis://${USER}:${password}@127.0.0.1:${server.port}`, credentials: { user: USER, password } });
}

async function prepare({ directory }, settings, users) {
  const passwordFile = join(directory, 'password');
  const kept = await readFile(passwordFile, 'utf8').catch(() => undefined);
  const password = kept?.trim() ?? randomBytes(18).toString('base64url');
  if (kept === undefined) await writeFile(passwordFile, password, { mode: 0o600 });
  const acl = join(directory, 'users.acl');
  const access = ['user default off', `user ${USER} on >${password} ${RIGHTS}`, ...users];
  await writeFile(acl, `${access.join('\n')}\n`, { mode: 0o600 });
  const fixed = {
    bind: '127.0.0.1',
    dir: directory,
    save: '""',
    appendonly: 'no',
    aclfile: acl,
    maxmemory: '64mb',
    'maxmemory-policy': 'volatile-ttl',
    ...settings,
  };
  const lines = Object.entries(fixed).map(([name, value]) => `${name} ${value}`);
  await writeFile(join(directory, 'redis.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  return { password };
}

/** Whether it lets the user in and answers a PING. */
function answers(port, password) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    let heard = '';
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.on('data', (bytes) => {
      heard += bytes;
      if (heard.includes('+PONG')) end(true);
      else if (heard.includes('-')) end(false);
    });
    socket.write(`AUTH ${USER} ${password}\r\nPING\r\n`);
  });
}

async function installedVersion() {
  const said = await promisify(execFile)('redis-server', ['--version'], { timeout: ANSWER_MS }).catch(() => undefined);
  return /v=(\d+\.\d+\.\d+)/.exec(said?.stdout ?? '')?.[1];
}
