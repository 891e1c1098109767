import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { StepError } from '../toolchain/process.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { answers, exists, freePort, giveTo, isRoot, startServer } from './server.mjs';

/** The scripts in /usr/sbin are wrappers that use the cookie of the system's own broker. */
const PROGRAMS = '/usr/lib/rabbitmq/bin';
const READY_MS = 90_000;
const STOP_MS = 20_000;
const USER = 'app';
/** Its own port mapper belongs to the family: else one daemon is left for each broker. It ends with the broker. */
const WRAPPER = `epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & mapper=$!
${PROGRAMS}/rabbitmq-server & broker=$!
trap 'kill -TERM $broker' TERM INT
wait $broker; wait $broker; code=$?
kill $mapper
exit $code`;

/** The folder of the broker's programs; installs Debian's package where it is missing. `offline` answers undefined instead. */
export async function ensureRabbitmq({ cache = folders().servicesCache, offline = false } = {}) {
  if (await exists(join(PROGRAMS, 'rabbitmq-server'))) return PROGRAMS;
  if (offline) return undefined;
  await installDebianPackages(['rabbitmq-server'], { cache, name: 'RabbitMQ', instead: 'set TEST_RABBITMQ_URL to a broker of yours' });
  return PROGRAMS;
}

/**
 * Starts a RabbitMQ of its own on loopback, beside any other: `url` (user "app" with a password made once, virtual host /), `management` (the address
 * of its HTTP API), and the rest of `startServer`. `managementPort`: a free one when unset.
 */
export async function startRabbitmq({ directory, port, managementPort } = {}) {
  await ensureRabbitmq();
  const user = await rabbitUser();
  const server = await startServer({
    name: 'RabbitMQ',
    directory,
    port,
    readyMs: READY_MS,
    stopMs: STOP_MS,
    prepare: (place) => prepare(place, { user, managementPort }),
    command: ({ directory: home, prepared }) => ({
      program: '/bin/sh',
      args: ['-c', WRAPPER],
      environment: environmentOf(home, prepared),
      user,
    }),
    ready: ({ port: amqp, prepared }) =>
      answers(`${prepared.management}/api/health/checks/port-listener/${amqp}`, { headers: { authorization: basic(prepared.password) } }),
  });
  const { password, management } = server.prepared;
  const credentials = { user: USER, password };
  return Object.assign(server, { url: `amqp://${USER}:${password}@127.0.0.1:${server.port}`, credentials, management });
}

async function prepare({ directory, port }, { user, managementPort }) {
  const parts = Object.fromEntries(['mnesia', 'log', 'schema', 'home'].map((name) => [name, join(directory, name)]));
  await giveTo(directory, user);
  for (const folder of Object.values(parts)) {
    await mkdir(folder, { recursive: true });
    await giveTo(folder, user);
  }
  const passwordFile = join(directory, 'password');
  if (!(await exists(passwordFile))) await writeFile(passwordFile, randomBytes(18).toString('hex'), { mode: 0o600 });
  const password = (await readFile(passwordFile, 'utf8')).trim();
  const ports = { management: managementPort ?? (await freePort()), mapper: await freePort(), distribution: await freePort() };
  const files = {
    'rabbitmq.conf': settings(directory, port, ports.management),
    enabled_plugins: '[rabbitmq_management].\n',
    'definitions.json': JSON.stringify(definitions(password)),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o600 });
    await chmod(path, 0o600);
    await giveTo(path, user);
  }
  return { password, ports, management: `http://127.0.0.1:${ports.management}` };
}

/** Tests ask the management API what is left in a queue: it should not tell of five seconds ago. */
function settings(directory, port, management) {
  return `listeners.tcp.1 = 127.0.0.1:${port}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${management}
load_definitions = ${join(directory, 'definitions.json')}
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 512MiB
disk_free_limit.absolute = 50MB
collect_statistics_interval = 1000
`;
}

function definitions(password) {
  const everything = { configure: '.*', write: '.*', read: '.*' };
  return {
    users: [{ name: USER, password, tags: 'administrator' }],
    vhosts: [{ name: '/' }],
    permissions: [{ user: USER, vhost: '/', ...everything }],
  };
}

function environmentOf(directory, { ports }) {
  const at = (name) => join(directory, name);
  return {
    HOME: at('home'),
    RABBITMQ_NODENAME: 'sutazai@localhost',
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: at('schema'),
    RABBITMQ_SCHEMA_DIR: at('schema'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_PID_FILE: at('pid'),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.mapper),
  };
}

/** Whom Debian's package made for the broker: its data must be theirs. */
async function rabbitUser() {
  if (!isRoot) return undefined;
  const id = async (option) => Number((await promisify(execFile)('id', [option, 'rabbitmq'])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (error) {
    throw new StepError(`The user rabbitmq is missing, which the package rabbitmq-server makes: ${error.message}`);
  }
}

const basic = (password) => `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;
