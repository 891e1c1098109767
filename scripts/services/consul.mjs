import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, say } from '../toolchain/process.mjs';
import { exists, freePort, startServer } from './server.mjs';

const VERSION = '1.22.5';
const MODULE = 'github.com/hashicorp/consul';
/** Versions of a module that were published and withdrawn again: with them the module graph does not resolve. */
const EXCLUDED = ['github.com/hashicorp/go-msgpack@v1.1.5', 'github.com/hashicorp/go-msgpack@v1.1.6'];
const BUILD_MS = 40 * 60_000;

/**
 * Starts a Consul agent of its own in development mode on loopback (a server of one node in memory; neither DNS nor gRPC) and answers once it has a
 * leader: `url`, `port`, and what `startServer` gives. `acl`: everything needs a token, and `credentials.CONSUL_TOKEN` may do everything.
 */
export async function startConsul({ directory, port, acl = false } = {}) {
  const program = await ensureConsul();
  const server = await startServer({
    name: 'Consul',
    directory,
    port,
    prepare: async ({ directory: home }) => ({
      ports: [await freePort(), await freePort()],
      token: acl ? await tokenIn(home) : undefined,
    }),
    command: ({ port: http, prepared }) => ({ program, args: argumentsOf(http, prepared) }),
    ready: async ({ port: http }) => {
      const answer = await fetch(`http://127.0.0.1:${http}/v1/status/leader`, { signal: AbortSignal.timeout(1_000) });
      return /\d/.test(await answer.text()) && answer.ok;
    },
  });
  const { token } = server.prepared;
  return Object.assign(server, {
    url: `http://127.0.0.1:${server.port}`,
    ...(token === undefined ? {} : { credentials: { CONSUL_TOKEN: token } }),
  });
}

function argumentsOf(http, { ports: [server, serf], token }) {
  const acl = `acl { enabled = true, default_policy = "deny", tokens { initial_management = "${token}", agent = "${token}" } }`;
  const ports = { http, server, 'serf-lan': serf, 'serf-wan': -1, grpc: -1, 'grpc-tls': -1, dns: -1 };
  return [
    'agent',
    '-dev',
    '-node=local',
    '-bind=127.0.0.1',
    '-client=127.0.0.1',
    '-disable-host-node-id',
    '-log-level=warn',
    ...Object.entries(ports).map(([name, number]) => `-${name}-port=${number}`),
    '-hcl',
    'check_update_interval = "0s"\ndisable_update_check = true',
    ...(token === undefined ? [] : ['-hcl', acl]),
  ];
}

async function tokenIn(home) {
  const file = join(home, 'token');
  if (!(await exists(file))) await writeFile(file, randomUUID(), { mode: 0o600 });
  return readFile(file, 'utf8');
}

/** The path of the program; `offline` answers undefined instead of building it. */
export async function ensureConsul({ cache = folders().servicesCache, offline = false } = {}) {
  const folder = join(cache, `consul-${VERSION}`);
  const program = join(folder, 'consul');
  if (await exists(program)) return program;
  if (await present('consul', ['version'])) return 'consul';
  if (offline) return undefined;
  if (!(await present('go', ['version']))) {
    throw new StepError('There is neither a `consul` nor a Go compiler here: set TEST_CONSUL_URL to an agent of yours.');
  }
  await withLock(`${folder}.lock`, 'building Consul', async () => {
    if (!(await exists(program))) await build(folder);
  });
  return program;
}

/** In the background's priority, since it takes all cores for minutes; one that is broken off goes on where Go's own cache of builds ends. */
async function build(folder) {
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop, { recursive: true });
  say(`Building Consul ${VERSION} from its Go module, once (6 to 11 minutes) ...`);
  const go = (...args) => {
    const options = { cwd: workshop, env: { ...process.env, GOFLAGS: '-mod=mod' }, timeout: BUILD_MS, maxBuffer: 2 ** 26 };
    return promisify(execFile)('nice', ['-n', '10', 'go', ...args], options);
  };
  try {
    await go('mod', 'init', 'local/consulbuild');
    await go('mod', 'edit', ...EXCLUDED.map((module) => `-exclude=${module}`));
    await go('get', `${MODULE}@v${VERSION}`);
    await go('build', '-trimpath', '-ldflags=-s -w', '-o', join(workshop, 'consul'), MODULE);
    await rename(workshop, folder);
  } catch (error) {
    const said = String(error.stderr || error.message).trim();
    throw new StepError(`Consul ${VERSION} could not be built: ${said.split('\n').at(-1)}`);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

async function present(command, args) {
  return promisify(execFile)(command, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}
