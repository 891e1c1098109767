import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

interface Violation {
  from: string;
  rule: { name: string };
}

/** Files of a small tree that breaks no rule; the breaches below are added to it. */
const SOUND: Record<string, string> = {
  'libs/kernel/errors/index.ts': `export { Fault } from './fault';`,
  'libs/kernel/errors/fault.ts': `export class Fault {}`,
  'libs/backing/postgres/index.ts': `export { Client } from './client';`,
  'libs/backing/postgres/client.ts': `import { Client as Driver } from 'pg'; import { Fault } from '@kernel/errors'; export class Client { d = Driver; f = Fault; }`,
  'libs/backing/parsers/formats/notes.ts': `export const parse = (): string => '';`,
  'libs/backing/other/index.ts': `export { Other } from './other';`,
  'libs/backing/other/other.ts': `export class Other {}`,
  'libs/features/notes/index.ts': `export { Notes } from './notes';`,
  'libs/features/notes/notes.ts': `import { Client } from '@backing/postgres'; import { Fault } from '@kernel/errors'; export class Notes { c = Client; f = Fault; }`,
  'libs/features/lists/index.ts': `export { Lists } from './lists';`,
  'libs/features/lists/lists.ts': `import { Notes } from '@features/notes'; export class Lists { n = Notes; }`,
  'apps/api/src/main.ts': `import { Lists } from '@features/lists'; import { NestFactory } from '@nestjs/core'; export const made = [Lists, NestFactory];`,
  'apps/worker/src/main.ts': `import { Notes } from '@features/notes'; export const made = Notes;`,
  'test/support/kit.ts': `import { Notes } from '@features/notes'; export const kit = Notes;`,
};

/** One breach of each rule: the rule, the file that breaks it, and what it says. */
const BREACHES: Array<[rule: string, file: string, text: string]> = [
  ['no-cycles', 'libs/features/lists/left.ts', `import { right } from './right'; export const left = () => right;`],
  ['kernel-stands-alone', 'libs/kernel/errors/up.ts', `import { Notes } from '@features/notes'; export const up = Notes;`],
  ['backing-knows-the-kernel-only', 'libs/backing/other/up.ts', `import { Notes } from '@features/notes'; export const up = Notes;`],
  ['backing-libs-are-strangers', 'libs/backing/other/aside.ts', `import { Client } from '@backing/postgres'; export const aside = Client;`],
  ['features-know-no-app', 'libs/features/notes/up.ts', `import { made } from '../../../apps/api/src/main'; export const up = made;`],
  [
    'features-know-no-transport',
    'libs/features/notes/http.ts',
    `import type { FastifyRequest } from 'fastify'; export type Http = FastifyRequest;`,
  ],
  ['apps-never-each-other', 'apps/worker/src/aside.ts', `import { made } from '../../api/src/main'; export const aside = made;`],
  ['one-door', 'apps/api/src/window.ts', `import { Notes } from '../../../libs/features/notes/notes'; export const window = Notes;`],
  ['one-door-between-libs', 'libs/features/lists/window.ts', `import { Notes } from '../notes/notes'; export const window = Notes;`],
  ['nobody-inside-uses-the-door', 'libs/features/notes/round.ts', `import { Notes } from '@features/notes'; export const round = Notes;`],
  ['driver-at-home-pg', 'libs/features/notes/driver.ts', `import { Client } from 'pg'; export const driver = Client;`],
  ['driver-at-home-node-llama-cpp', 'apps/api/src/llama.ts', `export const llama = () => import('node-llama-cpp');`],
  ['driver-at-home-@node-rs/argon2', 'libs/backing/other/argon.ts', `import { hash } from '@node-rs/argon2'; export const argon = hash;`],
  ['driver-at-home-pino', 'apps/api/src/log.ts', `import { pino } from 'pino'; export const log = pino;`],
  ['driver-at-home-unpdf', 'libs/backing/parsers/driver.ts', `export const eager = () => import('unpdf');`],
  ['parsers-in-their-thread', 'libs/backing/parsers/eager.ts', `import { parse } from './formats/notes'; export const eager = parse;`],
  ['driver-at-home-undici', 'libs/features/notes/get.ts', `export const get = () => import('undici');`],
  ...['ioredis', 'amqplib', 'neo4j-driver', 'chromadb', '@qdrant/js-client-rest', 'faiss-node', 'consul', 'cockatiel'].map(
    (name, at): [string, string, string] => [
      `driver-at-home-${name}`,
      `apps/api/src/driver-${at}.ts`,
      `export const driver = () => import('${name}');`,
    ],
  ),
  ['one-way-out', 'libs/backing/other/names.ts', `export const names = () => import('node:dns/promises');`],
  ['programs-at-home', 'libs/features/notes/shell.ts', `import { spawn } from 'node:child_process'; export const shell = spawn;`],
  ['no-test-code-in-production', 'libs/features/notes/kit.ts', `import { kit } from '../../../test/support/kit'; export const own = kit;`],
  ['everything-resolves', 'libs/features/notes/missing.ts', `import { gone } from './gone'; export const missing = gone;`],
];

function violationsIn(files: Record<string, string>): Violation[] {
  const tree = mkdtempSync(join(tmpdir(), 'sutazai-arrows-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), `${text}\n`);
    }
    for (const file of ['tsconfig.json', '.dependency-cruiser.cjs', 'package.json']) copyFileSync(join(ROOT, file), join(tree, file));
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'), 'junction');
    const cli = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const args = [cli, 'apps', 'libs', 'test', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8', maxBuffer: 64 << 20 });
    if (stdout === '') throw new Error(stderr);
    return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

describe('the arrows between the parts', () => {
  it('let a sound tree pass', () => {
    expect(violationsIn(SOUND)).toEqual([]);
  });

  describe('catch a seeded breach', () => {
    let found: string[];
    beforeAll(() => {
      const breaches = Object.fromEntries(BREACHES.map(([, file, text]) => [file, text]));
      const right = { 'libs/features/lists/right.ts': `import { left } from './left'; export const right = () => left;` };
      found = violationsIn({ ...SOUND, ...breaches, ...right }).map(({ rule, from }) => `${rule.name} ${from}`);
    });

    it.each(BREACHES)('of %s in %s', (rule, file) => {
      expect(found).toContain(`${rule} ${file}`);
    });
  });

  it('know every way out', () => {
    const modules = [
      'https',
      'node:https',
      'http2',
      'node:http2',
      'tls',
      'node:tls',
      'dns',
      'node:dns',
      'dns/promises',
      'dgram',
      'node:dgram',
    ];
    const files = modules.map((name, index) => [`apps/api/src/out-${index}.ts`, `export const out = () => import('${name}');`] as const);
    const found = violationsIn({ ...SOUND, ...Object.fromEntries(files) }).filter(({ rule }) => rule.name === 'one-way-out');
    expect(found.map(({ from }) => from).sort()).toEqual(files.map(([file]) => file).sort());
  });

  it('have a seeded breach for every rule', () => {
    const { forbidden } = require(join(ROOT, '.dependency-cruiser.cjs')) as { forbidden: Array<{ name: string }> };
    expect(BREACHES.map(([rule]) => rule).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });
});
