import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, say } from '../toolchain/process.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { NOBODY, answers, exists, freePort, giveTo, startServer } from './server.mjs';

const run = promisify(execFile);
const VERSION = '5.26.30';
const USER = 'neo4j';
const OWNER = { uid: NOBODY, gid: NOBODY };
const INSTALL_MS = 10 * 60_000;
const HASH_ROUNDS = 1024;
const READY_MS = 120_000;
/** It writes a checkpoint before it goes. */
const STOP_MS = 20_000;
const PROBE_MS = 20_000;
const JAVA = ['openjdk-17-jre-headless'];
const MAVEN = ['maven'];
/** The program and what it needs, from Maven Central. */
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>neo4j-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.neo4j.app</groupId><artifactId>neo4j-server</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;
const FOLDERS = ['conf', 'data', 'logs', 'import', 'plugins', 'run', 'licenses', 'lib', 'jars'];
const OPENS = ['java.nio', 'java.io', 'sun.nio.ch'].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);

/**
 * Starts a Neo4j 5 Community of its own on loopback: `url` (bolt://), `httpPort`, `credentials: { NEO4J_USER, NEO4J_PASSWORD }`, and what every
 * server here has. A first start takes about 11 s, a restart 6 s. The password is random and stays in `directory`, which must lie where
 * others may pass: the server runs as nobody.
 */
export async function startNeo4j({ directory, port, httpPort } = {}) {
  const jars = await ensureNeo4j();
  const server = await startServer({
    name: 'Neo4j',
    directory,
    port,
    readyMs: READY_MS,
    stopMs: STOP_MS,
    prepare: (place) => prepare(place, jars, httpPort),
    command: ({ directory: home }) => ({
      program: 'java',
      args: [
        '-Xms256m',
        '-Xmx512m',
        '-XX:MaxDirectMemorySize=256m',
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        ...OPENS,
        '-cp',
        `${join(home, 'jars')}/*`,
        'org.neo4j.server.CommunityEntryPoint',
        `--home-dir=${home}`,
        `--config-dir=${join(home, 'conf')}`,
        '--console-mode',
      ],
      user: OWNER,
    }),
    // HTTP opens after Bolt.
    ready: ({ prepared }) => answers(`http://127.0.0.1:${prepared.httpPort}/`),
  });
  const { password, httpPort: http } = server.prepared;
  return Object.defineProperties(server, {
    url: { value: `bolt://127.0.0.1:${server.port}`, enumerable: true },
    httpPort: { value: http, enumerable: true },
    credentials: { value: { NEO4J_USER: USER, NEO4J_PASSWORD: password }, enumerable: true },
  });
}

/** The folder of the server's jars below SERVICES_CACHE, brought by Maven on the first call. `offline` answers undefined instead of downloading. */
export async function ensureNeo4j({ cache = folders().servicesCache, offline = false } = {}) {
  const folder = join(cache, `neo4j-${VERSION}`);
  if (await exists(folder)) {
    if (!offline) await provideProgram('java', JAVA, cache);
    return folder;
  }
  if (offline) return undefined;
  await provideProgram('java', JAVA, cache);
  await provideProgram('mvn', MAVEN, cache);
  await withLock(`${folder}.lock`, 'installing Neo4j', async () => {
    if (!(await exists(folder))) await install(folder);
  });
  return folder;
}

async function install(folder) {
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop, { recursive: true });
  say(`Fetching Neo4j ${VERSION} from Maven Central, once (123 MB) ...`);
  try {
    await writeFile(join(workshop, 'pom.xml'), POM);
    const goal = ['dependency:copy-dependencies', '-DoutputDirectory=jars', '-DincludeScope=runtime'];
    await run('mvn', ['-q', '-B', ...goal], { cwd: workshop, timeout: INSTALL_MS, maxBuffer: 2 ** 26 });
    const jars = join(workshop, 'jars');
    for (const name of await readdir(jars)) await chmod(join(jars, name), 0o644);
    await rename(jars, folder);
  } catch (error) {
    const told = String(error.stdout || error.stderr || error.message);
    throw new StepError(`Neo4j ${VERSION} could not be fetched: ${told.trim().split('\n').at(-1)}`);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/** Once for a data directory: settings and password. The ports may be others at the next start. */
async function prepare({ directory, port }, jars, wanted) {
  await chmod(directory, 0o755);
  await giveTo(directory, OWNER);
  for (const name of FOLDERS) {
    await mkdir(join(directory, name), { recursive: true });
    await giveTo(join(directory, name), OWNER);
  }
  await provide(jars, join(directory, 'jars'));
  const httpPort = wanted ?? (await freePort());
  await writeFile(join(directory, 'conf', 'neo4j.conf'), settings(port, httpPort));
  return { httpPort, password: await passwordOf(directory) };
}

/** Whoever the server runs as cannot look into the cache of somebody else; a second name of a file costs nothing. */
async function provide(from, to) {
  const there = new Set(await readdir(to));
  for (const name of await readdir(from)) {
    if (there.has(name)) continue;
    await link(join(from, name), join(to, name)).catch(async () => writeFile(join(to, name), await readFile(join(from, name))));
  }
}

function settings(port, httpPort) {
  const lines = {
    'server.default_listen_address': '127.0.0.1',
    'server.bolt.enabled': true,
    'server.bolt.listen_address': `127.0.0.1:${port}`,
    'server.bolt.advertised_address': `127.0.0.1:${port}`,
    'server.http.enabled': true,
    'server.http.listen_address': `127.0.0.1:${httpPort}`,
    'server.https.enabled': false,
    'dbms.security.auth_enabled': true,
    'dbms.security.auth_minimum_password_length': 8,
    'server.memory.heap.initial_size': '256m',
    'server.memory.heap.max_size': '512m',
    'server.memory.pagecache.size': '64m',
    'dbms.usage_report.enabled': false,
    'db.tx_log.preallocate': false,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** As `neo4j-admin dbms set-initial-password` writes it, without a JVM for it; afterwards the file beside the data says what it is. */
async function passwordOf(directory) {
  const file = join(directory, 'password');
  if (await exists(file)) return (await readFile(file, 'utf8')).trim();
  const password = randomBytes(16).toString('hex');
  const salt = randomBytes(32);
  let hash = createHash('sha256').update(salt).update(password).digest();
  for (let round = 1; round < HASH_ROUNDS; round += 1) hash = createHash('sha256').update(hash).digest();
  const folder = join(directory, 'data', 'dbms');
  await mkdir(folder, { recursive: true });
  const initial = join(folder, 'auth.ini');
  await writeFile(initial, `${USER}:SHA-256,${hash.toString('hex')},${salt.toString('hex')},${HASH_ROUNDS}:\n`, { mode: 0o600 });
  await writeFile(file, password, { mode: 0o600 });
  for (const path of [folder, initial, file]) await giveTo(path, OWNER);
  return password;
}

/** Debian's packages where a program is missing and we may install it. */
async function provideProgram(program, packages, cache) {
  if (await present(program, ['-version'])) return;
  await installDebianPackages(packages, { cache, name: program, instead: 'set TEST_NEO4J_URL to a server of yours' });
}

async function present(command, args) {
  return run(command, args, { timeout: PROBE_MS }).then(
    () => true,
    () => false,
  );
}
