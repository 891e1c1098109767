import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const BANNED_NAMES = [
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'shared',
  'base',
  'manager',
  'impl',
  'generic',
  'data',
  'info',
  'handle',
];

/** Sources of apps and libs by their path from the root; `-` and `.` separate the words of a name. */
const SOURCES = ['apps', 'libs'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/')),
);
const PRODUCTION = SOURCES.filter((path) => !path.endsWith('.spec.ts'));

function holding(pattern: RegExp, paths = PRODUCTION): string[] {
  return paths.filter((path) => pattern.test(readFileSync(join(ROOT, path), 'utf8')));
}

describe('the sources', () => {
  it('are found', () => {
    expect(PRODUCTION.length).toBeGreaterThan(100);
  });

  it('read the environment in one file only, and set it in another for native libraries', () => {
    expect(holding(/process\.env/)).toEqual(['libs/kernel/config/native-threads.ts', 'libs/kernel/config/parse-config.ts']);
  });

  it('reach other machines through the egress client, the runtimes and the drivers only', () => {
    const doors = ['libs/backing/egress/host-resolver.service.ts'];
    expect(
      holding(/(?<![.\w#]|async )fetch\(|globalThis\.fetch|\b(?:http|https|http2|tls|net)\.(?:request|get|connect|createConnection)\(/),
    ).toEqual([]);
    expect(holding(/from 'node:(?:dns|dns\/promises|https|http2|tls|dgram)'|(?:require|import)\('node:/)).toEqual(doors);
    // Types, servers and the check of an address are no way out.
    const named = holding(/import (?!type )[^;]*\b(?:request|get|connect|createConnection|Socket)\b[^;]*from 'node:(?:net|http)'/);
    expect(named).toEqual([]);
    expect(holding(/import (?!type )(?:\* as )?\w+ from 'node:(?:net|http)'/)).toEqual([]);
  });

  it('need no forward reference and hold no unfinished mark', () => {
    expect(holding(/forwardRef|\bTODO\b|\bFIXME\b/)).toEqual([]);
  });

  it('close clients after the last request, never in onModuleDestroy', () => {
    expect(
      holding(
        /onModuleDestroy/,
        PRODUCTION.filter((path) => path.startsWith('libs/')),
      ),
    ).toEqual([]);
  });

  it('are named after what they hold', () => {
    const banned = SOURCES.filter((path) =>
      path.split('/').some((part) =>
        part
          .replace(/\.ts$/, '')
          .split(/[-.]/)
          .some((word) => BANNED_NAMES.includes(word) && part !== 'data-directory' && !part.startsWith('data-directory')),
      ),
    );
    expect(banned).toEqual([]);
  });

  it('lie at most five folders deep, in kebab case', () => {
    expect(SOURCES.filter((path) => path.split('/').length > 6)).toEqual([]);
    expect(SOURCES.filter((path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(basename(path)))).toEqual([]);
  });

  it('export one class from a file', () => {
    const several = PRODUCTION.filter(
      (path) => (readFileSync(join(ROOT, path), 'utf8').match(/^export (abstract )?class /gm) ?? []).length > 1,
    );
    expect(several).toEqual([]);
  });
});
