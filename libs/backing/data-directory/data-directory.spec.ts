import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataDirectory } from './data-directory';
import { DirectoryError } from './directory-error';
import { ownIdentity } from './process-identity';

let path: string;
const opened: DataDirectory[] = [];

function open(version = '1.2.3'): DataDirectory {
  const directory = DataDirectory.open(path, version);
  opened.push(directory);
  return directory;
}

function refusal(version?: string): DirectoryError {
  try {
    open(version);
  } catch (error) {
    if (error instanceof DirectoryError) return error;
    throw error;
  }
  throw new Error('The directory was opened.');
}

function lockBy(holder: object): void {
  writeFileSync(join(path, 'lock'), JSON.stringify({ nonce: 'theirs', ...holder }));
}

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'sutazai-directory-')), 'data');
});
afterEach(() => {
  for (const directory of opened.splice(0)) directory.close();
  rmSync(join(path, '..'), { recursive: true, force: true });
});

describe('the lock', () => {
  it('refuses a second one, naming the first process, until it is released', () => {
    const first = open();
    const error = refusal();
    expect(error.exitCode).toBe(75);
    expect(error.message).toContain(`in use by the process ${process.pid}`);
    first.close();
    expect(open().instanceId).toBe(first.instanceId);
  });

  it('leaves nothing behind', () => {
    open().close();
    expect(readdirSync(path).sort()).toEqual(['VERSION', 'instance']);
  });

  it('is taken over from a process that is gone', () => {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    mkdirSync(path, { recursive: true });
    lockBy({ ...ownIdentity(), pid: gone, started: 'another boot:1' });
    open();
    expect(JSON.parse(readFileSync(join(path, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    expect(readdirSync(path).filter((name) => name.startsWith('lock'))).toEqual(['lock']);
  });

  const startTimes = existsSync('/proc/self/stat');
  (startTimes ? it : it.skip)(
    `is taken over when another process has the number of the one that is gone${startTimes ? '' : ': no /proc here'}`,
    () => {
      mkdirSync(path, { recursive: true });
      lockBy({ ...ownIdentity(), started: 'this boot:an earlier start' });
      open();
      expect(JSON.parse(readFileSync(join(path, 'lock'), 'utf8'))).toMatchObject(ownIdentity());
    },
  );

  it('of another container holds while it is touched, and is taken over afterwards', () => {
    mkdirSync(path, { recursive: true });
    lockBy({ pid: 1, started: 'x', namespace: 'pid:[elsewhere]' });
    expect(refusal().exitCode).toBe(75);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(join(path, 'lock'), longAgo, longAgo);
    open();
  });

  it('passes over the right of a process that died while taking over', () => {
    mkdirSync(path, { recursive: true });
    lockBy({ ...ownIdentity(), started: 'dead' });
    writeFileSync(join(path, 'lock.theirs'), JSON.stringify({ ...ownIdentity(), started: 'dead too', nonce: 'second' }));
    open();
    expect(readdirSync(path).filter((name) => name.startsWith('lock'))).toEqual(['lock']);
  });

  it('goes to one of many that find a dead one', async () => {
    mkdirSync(path, { recursive: true });
    const runner = join(path, '..', 'contend.cjs');
    writeFileSync(
      runner,
      `const { readFileSync } = require('node:fs');
       const { transformSync } = require(${JSON.stringify(require.resolve('@swc/core'))});
       require.extensions['.ts'] = (module, file) => module._compile(transformSync(readFileSync(file, 'utf8'), {
         filename: file, swcrc: false, module: { type: 'commonjs' }, jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }).code, file);
       const { DirectoryLock } = require(${JSON.stringify(join(__dirname, 'directory-lock.ts'))});
       process.stdin.once('data', () => {
         let lock;
         try { lock = DirectoryLock.take(process.argv[2]); } catch { }
         process.stdout.write(lock ? 'taken' : 'refused');
         setInterval(() => undefined, 1000);
       });
       process.stdout.write('.');`,
    );
    for (let round = 0; round < 5; round += 1) {
      lockBy({ ...ownIdentity(), pid: 2 ** 22 + 1, started: 'dead', nonce: `round-${round}` });
      const contenders = Array.from({ length: 8 }, () => spawn(process.execPath, [runner, path]));
      try {
        await Promise.all(contenders.map((child) => output(child, /\./)));
        for (const child of contenders) child.stdin?.write('go');
        const said = await Promise.all(contenders.map((child) => output(child, /taken|refused/)));
        expect(said.filter((text) => text.includes('taken'))).toHaveLength(1);
      } finally {
        await Promise.all(contenders.map(ended));
      }
    }
  });
});

describe('a folder for each process of a kind', () => {
  const next = (): DataDirectory => {
    const directory = DataDirectory.openOneOf(join(path, 'workers'), 'worker', '1.2.3');
    opened.push(directory);
    return directory;
  };

  it('is the first that nobody holds, with an identity of its own that its next holder finds', () => {
    const [first, second, third] = [next(), next(), next()];
    expect([first, second, third].map((directory) => directory.path.slice(path.length))).toEqual([
      '/workers/worker-1',
      '/workers/worker-2',
      '/workers/worker-3',
    ]);
    expect(new Set([first, second, third].map((directory) => directory.instanceId)).size).toBe(3);
    second.close();
    expect(next()).toMatchObject({ path: second.path, instanceId: second.instanceId });
    expect(open().path).toBe(path);
  });

  it('of a newer release is not skipped', () => {
    next().close();
    writeFileSync(join(path, 'workers', 'worker-1', 'VERSION'), '9.0.0\n');
    expect(() => next()).toThrow(/newer than this one/);
  });
});

describe('VERSION', () => {
  it('is written, and raised by a newer release', () => {
    open('1.2.3').close();
    expect(readFileSync(join(path, 'VERSION'), 'utf8')).toBe('1.2.3\n');
    open('1.10.0').close();
    expect(readFileSync(join(path, 'VERSION'), 'utf8')).toBe('1.10.0\n');
  });

  it.each(['1.3.0', '2.0.0', '1.2.4', 'unheard of'])('%s is not touched by 1.2.3', (newer) => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'VERSION'), `${newer}\n`);
    const error = refusal('1.2.3');
    expect(error.exitCode).toBe(78);
    expect(error.message).toContain(newer);
    expect(readFileSync(join(path, 'VERSION'), 'utf8')).toBe(`${newer}\n`);
    expect(existsSync(join(path, 'lock'))).toBe(false);
  });
});

describe('what the directory keeps', () => {
  it('is the same after a restart, different elsewhere, and for its owner only', () => {
    const first = open();
    const secret = first.secret('jwt');
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(first.secret('other')).not.toBe(secret);
    first.close();
    const second = open();
    expect([second.instanceId, second.secret('jwt')]).toEqual([first.instanceId, secret]);
    expect(statSync(join(path, 'secrets', 'jwt')).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, 'secrets')).mode & 0o777).toBe(0o700);
  });

  it('never follows a name out of its folder', () => {
    expect(() => open().secret('../instance')).toThrow('cannot name a secret');
  });
});

it('a directory that cannot be written is named in one sentence', () => {
  const file = join(path, '..', 'file');
  writeFileSync(file, '');
  path = join(file, 'data');
  const error = refusal();
  expect(error.exitCode).toBe(73);
  expect(error.message).toMatch(/^The data directory .* cannot be written \(E[A-Z]+\): set DATA_DIR/);
  chmodSync(file, 0o600);
  path = join(file, '..', 'data');
});

function output(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      child.stdout?.off('data', onData);
      resolve(text);
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', (chunk: Buffer) => reject(new Error(chunk.toString())));
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners('exit');
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
