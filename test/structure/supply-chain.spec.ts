import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { loadScript } from '../scripts/load-script';

const ROOT = resolve(__dirname, '..', '..');
const run = promisify(execFile);

interface Locked {
  path: string;
  alias: string;
  name: string;
  version: string;
  integrity?: string;
  license?: string;
  dev: boolean;
  optional: boolean;
  installScript: boolean;
  entry: Record<string, unknown>;
}
interface Floors {
  packages: Record<string, { floor: string; reason: string }>;
  bundled: Record<string, { floor: string; package: string; file: string; reason: string }>;
  programs: Record<string, { floor: string; reason: string }>;
  leftOut: Record<string, string>;
  leftOutPrograms: Record<string, string>;
  denied: Record<string, string>;
}
type Dependencies = Record<string, string>;
interface Manifest {
  dependencies: Dependencies;
  devDependencies: Dependencies;
  optionalDependencies: Dependencies;
  overrides: Record<string, string | Dependencies>;
  allowScripts: Record<string, boolean>;
}
interface Component {
  name: string;
  group?: string;
  version: string;
  hashes: { content: string }[];
  'bom-ref': string;
}

const floors = read<Floors>('deploy/floors.json');
const manifest = read<Manifest>('package.json');
const lockfile = read<{ lockfileVersion: number; packages: Record<string, Record<string, unknown>> }>('package-lock.json');
const ASKING = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;
let packages: Locked[];
let production: Locked[];
let distinct: (packages: Locked[]) => Locked[];
let isAtLeast: (version: string, floor: string) => boolean;

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;
}

beforeAll(async () => {
  const script = await loadScript<{
    lockedPackages(): Locked[];
    productionPackages(): Locked[];
    distinct(packages: Locked[]): Locked[];
  }>('supply/lockfile.mjs');
  ({ isAtLeast } = await loadScript<{ isAtLeast: typeof isAtLeast }>('supply/versions.mjs'));
  packages = script.lockedPackages();
  production = script.productionPackages();
  distinct = script.distinct;
});

describe('package-lock.json', () => {
  it('has the sha512 of every package, and no address of a registry, a repository or a folder', () => {
    expect(lockfile.lockfileVersion).toBe(3);
    expect(packages.length).toBeGreaterThan(500);
    const bytes = (integrity = ''): number => Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').length;
    expect(packages.filter(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '') || bytes(integrity) !== 64)).toEqual(
      [],
    );
    expect(packages.filter(({ entry }) => entry.resolved !== undefined || entry.link !== undefined).map(({ path }) => path)).toEqual([]);
  });

  it('asks for versions only, never for an address', () => {
    const asked = Object.entries(lockfile.packages).flatMap(([path, entry]) =>
      ASKING.flatMap((kind) => Object.entries((entry[kind] ?? {}) as Dependencies).map(([name, range]) => ({ path, name, range }))),
    );
    expect(asked.length).toBeGreaterThan(500);
    const foreign = asked.filter(({ range }) => /[/:]|^git|\.tgz$/.test(range.replace(/^npm:(?:@[\w.-]+\/)?/, '')));
    expect(foreign).toEqual([]);
  });

  it('is the one of package.json, whose versions are exact', () => {
    const root = lockfile.packages[''] as unknown as Manifest;
    expect(root.dependencies).toEqual(manifest.dependencies);
    expect(root.devDependencies).toEqual(manifest.devDependencies);
    const pinned = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies, manifest.overrides].flatMap((each) =>
      Object.entries(each).flatMap(([name, version]) =>
        typeof version === 'string' ? [[name, version] as const] : Object.entries(version),
      ),
    );
    // `$name` stands for our own exact version.
    expect(pinned.filter(([, version]) => !/^(?:\$[\w.-]+|(?:npm:[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?)$/.test(version))).toEqual([]);
    const installed = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(installed.filter(([name, version]) => lockfile.packages[`node_modules/${name}`]?.version !== version)).toEqual([]);
  });

  it('holds nothing younger than seven days: each version with the day it came out', async () => {
    type Ages = { locked: string[]; missing: string[]; gone: string[]; young: string[] };
    const { readPublished, judgeAges } = await loadScript<{
      readPublished(): Record<string, string>;
      judgeAges(published: Record<string, string>, now: number): Ages;
    }>('supply/published.mjs');
    const published = readPublished();
    const { locked, ...rest } = judgeAges(published, Date.now());
    expect(rest).toEqual({ missing: [], gone: [], young: [] });
    const day = Date.parse('2026-01-09');
    const [first = ''] = locked;
    expect(judgeAges({ ...published, [first]: '2026-01-02' }, day).young).toContain(first);
    expect(judgeAges({ ...published, [first]: '2026-01-01' }, day).young).not.toContain(first);
  });
});

describe('packages', () => {
  it('that bring install scripts are all known, and none may run one', () => {
    const bringing = new Set(packages.filter(({ installScript }) => installScript).map(({ name }) => name));
    expect(Object.keys(manifest.allowScripts).sort()).toEqual([...bringing].sort());
    expect(Object.values(manifest.allowScripts).filter(Boolean)).toEqual([]);
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8').split('\n')).toEqual(
      expect.arrayContaining(['ignore-scripts=true', 'save-exact=true', 'omit-lockfile-registry-resolved=true']),
    );
  });

  it('that are denied or left out are not there', () => {
    const names = new Set(packages.flatMap(({ name, alias }) => [name, alias]));
    expect(names.has('typeorm')).toBe(true);
    const unwanted = [...Object.keys(floors.denied), ...Object.keys(floors.leftOut)];
    expect(unwanted.length).toBeGreaterThan(15);
    expect(unwanted.filter((name) => names.has(name))).toEqual([]);
  });

  it('are at their floors or above, in every copy', () => {
    const copies = Object.entries(floors.packages).map(([name, { floor }]) => ({
      name,
      floor,
      versions: packages.filter((each) => each.name === name).map(({ version }) => version),
    }));
    expect(copies.filter(({ versions }) => versions.length === 0)).toEqual([]);
    expect(copies.filter(({ versions, floor }) => !versions.every((version) => isAtLeast(version, floor)))).toEqual([]);
    expect([isAtLeast('1.9.9', '1.10.0'), isAtLeast('2.0.0-rc.1', '2.0.0'), isAtLeast('2.0.0', '2.0.0')]).toEqual([false, false, true]);
  });

  it('hold what others wrote at its floor or above', () => {
    const versions = Object.values(floors.bundled).map(({ package: name, file, floor }) => {
      const text = readFileSync(join(ROOT, 'node_modules', name, file), 'utf8');
      const found = new Set([...text.matchAll(/`(\d+\.\d+\.\d{2,})`/g)].map(([, version = '']) => version));
      return { name, found: found.size, low: [...found].filter((version) => !isAtLeast(version, floor)) };
    });
    expect(versions).toEqual([{ name: 'unpdf', found: 1, low: [] }]);
  });

  it('and the programs that the scripts install are at their floors', () => {
    const version = /^const VERSION = '([\d.]+)';$/m.exec(readFileSync(join(ROOT, 'scripts', 'toolchain', 'node.mjs'), 'utf8'))?.[1] ?? '';
    expect(isAtLeast(version, floors.programs.node?.floor ?? '')).toBe(true);
    expect(isAtLeast(process.versions.node, floors.programs.node?.floor ?? '')).toBe(true);
    const reasons = Object.values({ ...floors.leftOut, ...floors.leftOutPrograms, ...floors.denied });
    expect(reasons.filter((reason) => reason.length < 8)).toEqual([]);
  });

  it('are few', () => {
    const count = (list: Locked[]): number => distinct(list).length;
    // Raise these on purpose only: each package is somebody else's door into the product.
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(50);
    expect(count(production.filter(({ optional }) => !optional))).toBeLessThanOrEqual(400);
    expect(count(packages)).toBeLessThanOrEqual(840);
  });

  it('come under allowed licences', async () => {
    const { isAllowed, ALLOWED_FOR_TOOLS } = await loadScript<{
      isAllowed(expression: string | undefined, allowed?: Set<string>): boolean;
      ALLOWED_FOR_TOOLS: Set<string>;
    }>('supply/licences.mjs');
    expect(production.filter(({ license }) => !isAllowed(license)).map(({ name, license }) => [name, license])).toEqual([]);
    const tools = packages.filter(({ dev, license }) => dev && !isAllowed(license, ALLOWED_FOR_TOOLS));
    expect(tools.map(({ name, license }) => [name, license])).toEqual([]);
    const judged = [
      '(MIT OR GPL-3.0-or-later)',
      'MIT AND Zlib',
      'MIT AND GPL-3.0-only',
      'GPL-3.0-only OR (ISC AND AGPL-3.0-only)',
      'MIT)',
      '',
    ];
    expect(judged.map((each) => isAllowed(each))).toEqual([true, true, false, false, false, false]);
    expect([isAllowed(undefined), isAllowed('SEE LICENSE IN LICENSE')]).toEqual([false, false]);
  });
});

describe('the bill of materials', () => {
  it('names every package that npm counts as installed for running, with its hash', async () => {
    const { npmCli } = await loadScript<{ npmCli(): string }>('toolchain/npm.mjs');
    const args = [npmCli(), 'ls', '--omit=dev', '--all', '--json', '--package-lock-only', '--loglevel=error'];
    const answer = await run(process.execPath, args, { cwd: ROOT, maxBuffer: 64 << 20 });
    type Tree = { version?: string; resolved?: string; dependencies?: Record<string, Tree> };
    const names = new Set<string>();
    const walk = (tree: Tree): void => {
      for (const [alias, each] of Object.entries(tree.dependencies ?? {})) {
        const real = packages.find((known) => known.alias === alias && known.version === each.version);
        if (each.version !== undefined) names.add(`${real?.name ?? alias}@${each.version}`);
        walk(each);
      }
    };
    walk(JSON.parse(answer.stdout) as Tree);
    const components = read<{ components: Component[] }>('deploy/sbom.cdx.json').components;
    const listed = components.map(({ group, name, version }) => `${group === undefined ? '' : `${group}/`}${name}@${version}`);
    expect(names.size).toBeGreaterThan(300);
    expect([...names].filter((name) => !listed.includes(name))).toEqual([]);
    expect(listed.filter((name) => !distinct(production).some((each) => `${each.name}@${each.version}` === name))).toEqual([]);
    expect(components.filter(({ hashes }) => hashes[0]?.content.length !== 128)).toEqual([]);
  });

  it('says of each what it asks for, in names of its own', () => {
    type Bill = {
      components: Component[];
      metadata: { component: Component };
      dependencies: { ref: string; dependsOn: string[] }[];
    };
    const bill = read<Bill>('deploy/sbom.cdx.json');
    const known = new Set([bill.metadata.component, ...bill.components].map((component) => component['bom-ref']));
    expect(known.size).toBe(bill.components.length + 1);
    expect(new Set(bill.dependencies.map(({ ref }) => ref))).toEqual(known);
    expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !known.has(ref))).toEqual([]);
    const own = bill.dependencies.find(({ ref }) => ref === bill.metadata.component['bom-ref']);
    expect(own?.dependsOn).toHaveLength(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).length);
  });

  it('and the notices are made again without a difference', async () => {
    const { sbom } = await loadScript<{ sbom(): string }>('supply/sbom.mjs');
    const { notices } = await loadScript<{ notices(): string }>('supply/notices.mjs');
    expect(readFileSync(join(ROOT, 'deploy', 'sbom.cdx.json'), 'utf8') === sbom()).toBe(true);
    expect(readFileSync(join(ROOT, 'THIRD_PARTY_NOTICES'), 'utf8') === notices()).toBe(true);
    const required = distinct(production).filter(({ optional }) => !optional);
    const text = notices();
    expect(required.filter(({ name, version }) => !text.includes(`\n${name} ${version} (`))).toEqual([]);
    expect([sbom(), text].filter((each) => each.includes(ROOT) || /serialNumber|timestamp/.test(each))).toEqual([]);
  });
});

describe('L03 a package with install scripts', () => {
  let folder: string;
  let marker: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sutazai-canary-'));
    marker = join(folder, 'it-ran');
    const canary = join(folder, 'canary');
    mkdirSync(canary);
    const script = `node -e "require('fs').appendFileSync('${marker}', 'ran')"`;
    const scripts = Object.fromEntries(['preinstall', 'install', 'postinstall'].map((name) => [name, script]));
    writeFileSync(join(canary, 'package.json'), JSON.stringify({ name: 'canary', version: '1.0.0', scripts }));
    const project = { name: 'victim', version: '1.0.0', private: true, dependencies: { canary: 'file:canary' }, scripts };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const installed = (): boolean => existsSync(join(folder, 'node_modules', 'canary', 'package.json'));

  async function lock(): Promise<string> {
    const { npmCli } = await loadScript<{ npmCli(): string }>('toolchain/npm.mjs');
    const args = [npmCli(), 'install', '--package-lock-only', '--offline', '--ignore-scripts', '--no-audit', '--loglevel=error'];
    execFileSync(process.execPath, args, { cwd: folder, stdio: 'pipe' });
    return npmCli();
  }

  it('L03 never runs them under the install of the toolchain', async () => {
    await lock();
    const { npm } = await loadScript<{ npm(node: string, args: string[], purpose: string): Promise<void> }>('toolchain/npm.mjs');
    await npm(process.execPath, ['ci', '--offline', '--prefix', folder], 'Installing the canary');
    expect([installed(), existsSync(marker)]).toEqual([true, false]);
  });

  it("L03 never runs them under a plain npm ci with the repository's settings, and would without them", async () => {
    const cli = await lock();
    // Under `npm test` npm hands its settings on in the environment, which would win over the file.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name)));
    const plain = (): unknown =>
      execFileSync(process.execPath, [cli, 'ci', '--offline', '--loglevel=error'], { cwd: folder, env, stdio: 'pipe' });
    writeFileSync(join(folder, '.npmrc'), readFileSync(join(ROOT, '.npmrc')));
    plain();
    expect([installed(), existsSync(marker)]).toEqual([true, false]);
    writeFileSync(join(folder, '.npmrc'), 'ignore-scripts=false\n');
    plain();
    expect([installed(), existsSync(marker)]).toEqual([true, true]);
  });
});

describe('L04 the continuous integration', () => {
  it('L04 is one script of this repository, which is given no secret', () => {
    const foreign = ['.github', '.gitlab-ci.yml', '.circleci', 'Jenkinsfile', 'azure-pipelines.yml', '.travis.yml'];
    expect(foreign.filter((name) => existsSync(join(ROOT, name)))).toEqual([]);
    const script = readFileSync(join(ROOT, '.ci', 'run'), 'utf8');
    expect(script.match(/secret|token|passw|api_?key|credential/gi)).toBeNull();
    expect(script.match(/\b(?:curl|wget)\b|https?:/g)).toBeNull();
  });
});
