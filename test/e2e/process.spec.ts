import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const MAIN = join(ROOT, 'dist', 'apps', 'api', 'src', 'main.js');
const ARGON_SECONDS = 30_000;

interface Ended {
  code: number | null;
  output: string;
  errors: string;
}

/** The built server as a process of its own. */
class Server {
  output = '';
  errors = '';
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(environment: Record<string, string>) {
    this.child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env.PATH, PORT: '0', MODELS_DIR: join(ROOT, '.data', 'models'), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve({ code, output: this.output, errors: this.errors })));
  }

  /** Its address, once it says so. */
  url(): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = /is ready at (http:\S+)/.exec(this.output)?.[1];
        if (found !== undefined) resolve(found);
      };
      this.child.stdout?.on('data', look);
      this.child.once('close', () => reject(new Error(`It ended: ${this.errors}`)));
      look();
    });
  }

  /** SIGKILL for what a failed test left behind. */
  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

describe('the server process', () => {
  let directory: string;
  const servers: Server[] = [];

  const start = (environment: Record<string, string> = {}): Server => {
    const server = new Server({ DATA_DIR: directory, ...environment });
    servers.push(server);
    return server;
  };

  beforeAll(() => {
    if (!existsSync(MAIN)) throw new Error('The product is not built: npm run build.');
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sutazai-process-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.end();
    rmSync(directory, { recursive: true, force: true });
  });

  it('lists every wrong setting at once, exits with 78 and touches nothing', async () => {
    const { code, output, errors } = await start({ PORT: 'x', REDIS_URL: 'http://127.0.0.1', HOST: '0.0.0.0' }).ended;
    expect([code, output]).toEqual([78, '']);
    expect(errors).toBe(
      `The settings are wrong:
  PORT: must be a whole number from 0 to 65535, not "x".
  REDIS_URL: must be a URL that begins with redis:// or rediss://.
  JWT_SECRET: must be set in production (NODE_ENV=production, or HOST beyond loopback): "openssl rand -base64 48".
`,
    );
    expect(existsSync(join(directory, 'lock'))).toBe(false);
    expect(existsSync(join(directory, 'database'))).toBe(false);
  });

  it('refuses a directory of a newer release, and leaves it as it is', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'VERSION'), '999.0.0\n');
    const { code, errors } = await start().ended;
    expect([code, errors.split('\n')]).toEqual([78, [expect.stringContaining('999.0.0, which is newer'), '']]);
    expect(readFileSync(join(directory, 'VERSION'), 'utf8')).toBe('999.0.0\n');
  });

  it('says in one sentence that a directory cannot be written', async () => {
    writeFileSync(join(directory, 'file'), '');
    const { code, errors } = await start({ DATA_DIR: join(directory, 'file', 'data') }).ended;
    expect([code, errors.split('\n')]).toEqual([73, [expect.stringMatching(/cannot be written/), '']]);
  });

  it('says in one sentence that its port is taken, and unlocks the directory', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, errors } = await start({ PORT: String(port) }).ended;
    other.close();
    expect([code, errors]).toEqual([69, `Cannot listen on port ${port} of 127.0.0.1: another process listens there. Set PORT or HOST.\n`]);
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });

  it('says in one sentence that its database does not answer, without the password', async () => {
    const { code, output, errors } = await start({ DATABASE_URL: 'postgres://app:canary-pw@127.0.0.1:1/app' }).ended;
    expect([code, errors.trim().split('\n').length]).toEqual([69, 1]);
    expect(errors).toMatch(/database/i);
    expect(output + errors).not.toContain('canary-pw');
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });

  it('runs once on a directory: a second start is refused with the pid of the first, which goes on', async () => {
    const first = start();
    const url = await first.url();
    const second = await start().ended;
    expect([second.code, second.errors.split('\n')]).toEqual([
      75,
      [expect.stringContaining(`in use by the process ${first.child.pid}:`), ''],
    ]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('starts on the directory of one that was killed, with everything in it', async () => {
    const first = start();
    const registered = await fetch(`${await first.url()}/api/v1/auth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'first@example.org', password: 'correct horse battery staple' }),
      signal: AbortSignal.timeout(ARGON_SECONDS),
    });
    const { access_token } = (await registered.json()) as { access_token: string };
    first.child.kill('SIGKILL');
    await first.ended;
    const second = start();
    const me = await fetch(`${await second.url()}/api/v1/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
    expect(me.status).toBe(200);
    expect(second.output).not.toContain('Nobody is registered');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('stops in order on %s: exit 0, nothing left, within 5 s', async (signal) => {
    const server = start();
    const url = await server.url();
    expect(server.output).toContain('Nobody is registered yet');
    const idle = await fetch(`${url}/livez`);
    expect(idle.status).toBe(200);
    const asked = performance.now();
    server.child.kill(signal);
    const { code, errors } = await server.ended;
    expect([code, errors]).toEqual([0, '']);
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });

  it('takes the same signal twice in a moment for one, as it comes to a whole process group', async () => {
    const server = start();
    await server.url();
    server.child.kill('SIGTERM');
    const logged = once(server.child.stdout!, 'data');
    await logged;
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('serves the document that the build prints without a database', async () => {
    const printed = spawnSync(process.execPath, [join(dirname(MAIN), 'openapi.js')], { encoding: 'utf8', cwd: directory });
    expect([printed.status, printed.stderr]).toEqual([0, '']);
    expect(readdirSync(directory)).toEqual([]);
    const served = await fetch(`${await start().url()}/docs/openapi.json`);
    expect(`${await served.text()}\n`).toBe(printed.stdout);
  });

  it('writes JSON lines with the request id, and nothing of what was sent', async () => {
    const canary = 'canary-4711';
    const server = start({ LOG_LEVEL: 'trace' });
    const url = await server.url();
    await fetch(`${url}/api/v1/auth/login?token=${canary}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'known-id', cookie: canary, 'x-api-key': canary },
      body: JSON.stringify({ email: `${canary}@example.org`, password: canary }),
    });
    await fetch(`${url}/api/v1/auth/me`, { headers: { authorization: `Bearer ${canary}` } });
    await fetch(`${url}/${canary}`);
    server.child.kill('SIGTERM');
    const { output, errors } = await server.ended;
    const lines = output.split('\n').filter((line) => line.startsWith('{'));
    const requests = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'request');
    expect(requests).toContainEqual({
      level: 'info',
      time: expect.any(String),
      msg: 'request',
      method: 'POST',
      route: '/api/v1/auth/login',
      status: expect.any(Number),
      ms: expect.any(Number),
      request_id: 'known-id',
    });
    expect(requests).toHaveLength(3);
    expect(output + errors).not.toContain(canary);
  });
});
