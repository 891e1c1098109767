import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScript } from './load-script';
import { zip } from './zip-writer';

interface Zip {
  listZip(path: string): Promise<{ name: string; size: number }[]>;
  extractZip(path: string, folder: string, wanted: (name: string) => boolean): Promise<number>;
}

const long = Buffer.from('the same words again and again; '.repeat(20_000));

describe('reading zip archives', () => {
  let reader: Zip;
  let folder: string;
  let archive: string;

  beforeAll(async () => {
    reader = await loadScript<Zip>('files/zip.mjs');
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'zip-'));
    archive = join(folder, 'archive.whl');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('lists and unpacks stored, deflated and empty files, and only those wanted', async () => {
    const contents = [
      { name: 'a/long.txt', bytes: long },
      { name: 'a/plain.bin', bytes: Buffer.from([0, 1, 2, 255]), stored: true },
      { name: 'a/empty', bytes: Buffer.alloc(0), stored: true },
      { name: 'b/other', bytes: long },
    ];
    writeFileSync(archive, zip(contents));
    expect((await reader.listZip(archive)).map(({ name, size }) => [name, size])).toEqual(
      contents.map(({ name, bytes }) => [name, bytes.length]),
    );
    expect(await reader.extractZip(archive, join(folder, 'out'), (name) => name.startsWith('a/'))).toBe(3);
    for (const { name, bytes } of contents.slice(0, 3)) expect(readFileSync(join(folder, 'out', name)).equals(bytes)).toBe(true);
    expect(existsSync(join(folder, 'out', 'b'))).toBe(false);
  });

  it('notices damaged bytes by their checksum', async () => {
    const bytes = zip([{ name: 'file', bytes: Buffer.from('sound bytes'), stored: true }]);
    bytes.write('unsound', bytes.indexOf('sound bytes'));
    writeFileSync(archive, bytes);
    await expect(reader.extractZip(archive, folder, () => true)).rejects.toThrow('"file" is damaged in its archive');
  });

  it('refuses a name that leads out of the folder', async () => {
    writeFileSync(archive, zip([{ name: '../escaped', bytes: Buffer.from('x') }]));
    await expect(reader.extractZip(archive, join(folder, 'out'), () => true)).rejects.toThrow('entry outside its folder: "../escaped"');
    expect(existsSync(join(folder, 'escaped'))).toBe(false);
  });

  it('refuses what is no archive, and one that is cut off', async () => {
    writeFileSync(archive, 'no archive at all');
    await expect(reader.listZip(archive)).rejects.toThrow('is not a zip archive');
    writeFileSync(archive, zip([{ name: 'file', bytes: long }]).subarray(100));
    await expect(reader.listZip(archive)).rejects.toThrow(/cut off|damaged/);
  });
});
