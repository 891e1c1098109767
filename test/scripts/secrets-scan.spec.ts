import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScript } from './load-script';

interface Scan {
  scanForSecrets(
    folder: string,
  ): Promise<{ files: number; lines: number; secrets: number; found: { file: string; line: number; what: string }[] }>;
}

const RANDOM = 'Qm9vR2xhc3NXaW5kb3dUcmVlUml2ZXJTdG9uZUJpcmQ';

describe('the search for secrets', () => {
  let folder: string;
  let scan: Scan;
  beforeAll(async () => {
    scan = await loadScript<Scan>('test/secrets-scan.mjs');
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-scan-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    `{"msg":"key sk-${RANDOM}"}`,
    `refresh rt-${RANDOM}`,
    `invited inv-${RANDOM}`,
    `reset pr-${RANDOM}`,
    `setup-${RANDOM}`,
    `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.${RANDOM}`,
    'postgres://app:secret-word@127.0.0.1/app',
    'the word is open "sesame" now',
    '{"detail":"open \\"sesame\\""}',
  ])('finds %s', async (line) => {
    writeFileSync(join(folder, 'secrets.ndjson'), `${JSON.stringify('open "sesame"')}\n`);
    writeFileSync(join(folder, 'a.log'), `harmless\n${line}\n`);
    const { found, lines } = await scan.scanForSecrets(folder);
    expect({ lines, at: found.map(({ file, line: at }) => `${file}:${at}`) }).toEqual({ lines: 2, at: ['a.log:2'] });
    expect(JSON.stringify(found)).not.toContain('sesame');
  });

  it('finds nothing in what holds none', async () => {
    writeFileSync(join(folder, 'a.log'), 'http://127.0.0.1:10200/docs sk-short task-list-of-things Bearer\n');
    expect(await scan.scanForSecrets(folder)).toMatchObject({ files: 1, lines: 1, found: [] });
  });
});
