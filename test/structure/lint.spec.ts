import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** Sources that open a connection past the egress client, one for each way of doing so. */
const BREACHES: Record<string, string> = {
  'a global function': `export const out = () => fetch('http://127.0.0.1/');`,
  'a socket of the web': `export const out = () => new WebSocket('ws://127.0.0.1/');`,
  'a stream of events': `export const out = () => new EventSource('http://127.0.0.1/');`,
  'a request of node:http': `import { request } from 'node:http';\nexport const out = request;`,
  'a request of http': `import { get } from 'http';\nexport const out = get;`,
  'all of node:http': `import http from 'node:http';\nexport const out = http;`,
  'everything of node:net': `import * as net from 'node:net';\nexport const out = net;`,
  'a connection of node:net': `import { connect } from 'node:net';\nexport const out = connect;`,
  'a socket of net': `import { Socket } from 'net';\nexport const out = new Socket();`,
  'node:https': `import { request } from 'node:https';\nexport const out = request;`,
  'node:http2': `import { connect } from 'node:http2';\nexport const out = connect;`,
  'node:tls': `import { connect } from 'node:tls';\nexport const out = connect;`,
  'node:dns': `import { lookup } from 'node:dns';\nexport const out = lookup;`,
  'dns/promises': `import { lookup } from 'dns/promises';\nexport const out = lookup;`,
  'node:dgram': `import { createSocket } from 'node:dgram';\nexport const out = createSocket;`,
};
const SOUND = `import { createServer, type Agent, type IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
export const server = createServer(() => undefined);
export const check = isIP;
export type Parts = Agent | IncomingMessage | LookupFunction;
`;

/** What the linter says about the one way out, by file. */
function findings(files: Record<string, string>): Map<string, string[]> {
  const tree = mkdtempSync(join(tmpdir(), 'sutazai-lint-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), `${text}\n`);
    }
    copyFileSync(join(ROOT, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'), 'junction');
    const cli = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint');
    const { stdout, stderr } = spawnSync(process.execPath, [cli, '--format', 'json', 'apps', 'libs'], { cwd: tree, encoding: 'utf8' });
    if (stdout === '') throw new Error(stderr);
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
    const found = new Map<string, string[]>();
    for (const { code, filename } of diagnostics.filter((one) => /no-restricted-/u.test(one.code)))
      found.set(filename, [...(found.get(filename) ?? []), code]);
    return found;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

describe('the linter', () => {
  const entries = Object.entries(BREACHES);
  const places = ['apps/api/src', 'libs/kernel/log', 'libs/features/notes', 'libs/backing/ollama'];
  const path = (place: string, index: number): string => `${place}/breach-${index}.ts`;
  let found: Map<string, string[]>;
  beforeAll(() => {
    const breaches = places.flatMap((place) => entries.map(([, text], index) => [path(place, index), text]));
    const sound = places.map((place) => [`${place}/sound.ts`, SOUND]);
    const atHome = [['libs/backing/egress/host-resolver.service.ts', BREACHES['node:dns']]];
    found = findings(Object.fromEntries([...breaches, ...sound, ...atHome]) as Record<string, string>);
  });

  it.each(entries.map(([name], index) => [name, index] as const))('lets nobody past the one way out: %s', (_, index) => {
    for (const place of places) expect([place, found.get(path(place, index))?.length]).toEqual([place, 1]);
  });

  it('lets types, servers and the check of an address pass, and the egress client look up names', () => {
    expect([...found.keys()].filter((name) => !name.includes('breach-'))).toEqual([]);
  });
});
