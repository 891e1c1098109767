import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadScript } from '../scripts/load-script';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Instruction {
  line: number;
  keyword: string;
  flags: string[];
  text: string;
  words: string[];
}
interface Stage {
  from: string;
  name?: string;
  flags: string[];
  instructions: Instruction[];
}
interface Copy {
  line: number;
  from?: string;
  sources: string[];
  target: string;
}

let stagesOf: (text: string) => Stage[];
let copiesOf: (stage: Stage) => Copy[];
const text = read('deploy/Dockerfile');
const ignored = read('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const pinnedNode = /^const VERSION = '([\d.]+)';$/m.exec(read('scripts/toolchain/node.mjs'))?.[1];

beforeAll(async () => {
  ({ stagesOf, copiesOf } = await loadScript<{ stagesOf: typeof stagesOf; copiesOf: typeof copiesOf }>('deploy/dockerfile.mjs'));
});

const all = (of: string, keyword: string): Instruction[] =>
  stagesOf(of).flatMap(({ instructions }) => instructions.filter((each) => each.keyword === keyword));
const last = (of: string): Stage => stagesOf(of).at(-1) as Stage;
const inLast = (of: string, keyword: string): Instruction[] => last(of).instructions.filter((each) => each.keyword === keyword);

/** The context holds what .dockerignore names, and nothing else. */
function inContext(path: string): boolean {
  return ignored.some((line) => line.startsWith('!') && (path === line.slice(1) || path.startsWith(`${line.slice(1)}/`)));
}

/** Each rule answers what breaks it; beside it the Dockerfile with a breach that it must find. */
const RULES: Record<string, { faults: (of: string) => unknown[]; breach: (of: string) => string }> = {
  'every base is the Node of the toolchain by its exact version, or a stage above': {
    faults: (of) => {
      const names: string[] = [];
      return stagesOf(of).filter(({ from, name = '' }) => {
        const right = from === `node:${pinnedNode}-bookworm-slim` || names.includes(from);
        names.push(name);
        return !right || name === '';
      });
    },
    breach: (of) => of.replace(`node:${pinnedNode}-bookworm-slim AS runtime`, 'node:24-bookworm-slim AS runtime'),
  },
  'nothing is called latest': {
    faults: (of) => [...of.matchAll(/:latest/g)],
    breach: (of) => of.replaceAll(`:${pinnedNode}-bookworm-slim`, ':latest'),
  },
  'what is copied from the context is there, and .dockerignore lets it in': {
    faults: (of) =>
      stagesOf(of)
        .flatMap(copiesOf)
        .filter(({ from }) => from === undefined)
        .flatMap(({ sources }) => sources)
        .filter((source) => !existsSync(join(ROOT, source)) || !inContext(source)),
    breach: (of) => of.replace('COPY scripts/files ', 'COPY scripts/flies '),
  },
  'what is copied from a stage comes from one above': {
    faults: (of) => {
      const stages = stagesOf(of);
      return stages.flatMap((stage, at) =>
        copiesOf(stage).filter(({ from }) => from !== undefined && !stages.slice(0, at).some(({ name }) => name === from)),
      );
    },
    breach: (of) => of.replace('--from=compiled', '--from=complied'),
  },
  'nothing is fetched by an address': {
    faults: (of) => [
      ...all(of, 'ADD'),
      ...all(of, 'RUN').filter((each) => /\b(?:curl|wget|git clone)\b|https?:/.test(each.text)),
      ...all(of, 'COPY').filter((each) => /https?:/.test(each.text)),
    ],
    breach: (of) => of.replace('COPY apps apps', 'ADD https://example.org/apps.tar.gz apps'),
  },
  'the last stage runs as user 10001, by its number, to the end': {
    faults: (of) => {
      const users = inLast(of, 'USER').map((each) => each.text);
      const after = last(of).instructions.slice(last(of).instructions.findIndex(({ keyword }) => keyword === 'USER') + 1);
      return users.length === 1 && users[0] === '10001:10001' && !after.some(({ keyword }) => keyword === 'RUN' || keyword === 'COPY')
        ? []
        : [users];
    },
    breach: (of) => of.replace('USER 10001:10001', 'USER node'),
  },
  'the program is node itself, with its arguments as a list': {
    faults: (of) => {
      const [entry, ...others] = inLast(of, 'ENTRYPOINT');
      const command = inLast(of, 'CMD');
      const right =
        others.length === 0 &&
        entry?.text === '["node"]' &&
        command.length === 1 &&
        command[0]?.words.at(-1) === 'dist/apps/api/src/main.js';
      return right ? [] : [entry, command];
    },
    breach: (of) => of.replace('ENTRYPOINT ["node"]', 'ENTRYPOINT ["npm", "start"]'),
  },
  'no secret is an argument, a variable or a file': {
    faults: (of) => [
      ...[...all(of, 'ARG'), ...all(of, 'ENV')].filter((each) => /pass|secret|token|key|credential/i.test(each.text)),
      ...all(of, 'COPY').filter((each) => /\.env\b|secrets|\.ssh|\.npmrc-auth/.test(each.text)),
      ...all(of, 'RUN').filter((each) => /_authToken|--password/.test(each.text)),
    ],
    breach: (of) => of.replace('ARG REVISION=unknown', 'ARG NPM_TOKEN=unknown'),
  },
  'packages are installed from the lockfile, without their scripts': {
    faults: (of) => {
      const installs = all(of, 'RUN').filter((each) => /\bnpm\b/.test(each.text) && !/rm -rf/.test(each.text));
      return installs.length === 2 ? installs.filter((each) => !/\bnpm ci\b.*--ignore-scripts/.test(each.text)) : [installs];
    },
    breach: (of) => of.replace('npm ci --omit=dev --ignore-scripts', 'npm install --omit=dev'),
  },
  'the last stage holds packages for running only': {
    faults: (of) => {
      const from = copiesOf(last(of))
        .filter(({ target }) => target === 'node_modules')
        .map((copy) => copy.from);
      const chain = (name: string): string =>
        stagesOf(of)
          .filter((stage) => stage.name === name)
          .flatMap((stage) => [...stage.instructions.map((each) => each.text), chain(stage.from)])
          .join('\n');
      return from.length === 1 && chain(from[0] ?? '').includes('--omit=dev') ? [] : from;
    },
    breach: (of) =>
      of.replace('COPY --from=pruned /build/node_modules node_modules', 'COPY --from=compiled /build/node_modules node_modules'),
  },
  'lists of apt are gone from the layer that read them, and nothing is installed that was not asked for': {
    faults: (of) =>
      all(of, 'RUN').filter(
        (each) =>
          /apt-get/.test(each.text) &&
          !(
            /apt-get update && apt-get install -y --no-install-recommends /.test(each.text) &&
            /rm -rf \/var\/lib\/apt\/lists\/\*/.test(each.text)
          ),
      ),
    breach: (of) => of.replace(' && rm -rf /var/lib/apt/lists/* /usr', ' && rm -rf /usr'),
  },
  'no compiler and no package manager reach the last stage': {
    faults: (of) => {
      const installs = inLast(of, 'RUN').map((each) => each.text);
      const right =
        installs.every((each) => !/g\+\+|gcc|make|-dev\b/.test(each)) &&
        installs.some((each) => /rm -rf .*\/usr\/local\/lib\/node_modules .*\/usr\/local\/bin\/npm/.test(each));
      return right ? [] : installs;
    },
    breach: (of) => of.replace('--no-install-recommends libgomp1', '--no-install-recommends g++ libgomp1'),
  },
  'nothing is meant for one processor': {
    faults: (of) => [...of.matchAll(/x86_64|aarch64|linux-x64|linux-arm64|--platform=linux/g)],
    breach: (of) => of.replace('--platform=$BUILDPLATFORM', '--platform=linux/amd64'),
  },
  'the layers of packages do not depend on our sources': {
    faults: (of) =>
      stagesOf(of).filter((stage) => {
        const install = stage.instructions.findIndex((each) => /npm ci/.test(each.text));
        return stage.instructions
          .slice(0, Math.max(0, install))
          .some((each) => each.keyword === 'COPY' && /\b(?:apps|libs|scripts)\b/.test(each.text));
      }),
    breach: (of) =>
      of.replace(
        'COPY package.json package-lock.json .npmrc ./\n# The ages',
        'COPY package.json package-lock.json .npmrc apps ./\n# The ages',
      ),
  },
  'the image says what it is': {
    faults: (of) => {
      const labels = inLast(of, 'LABEL')
        .map((each) => each.text)
        .join(' ');
      return ['title', 'description', 'licenses', 'version', 'revision'].filter(
        (name) => !labels.includes(`org.opencontainers.image.${name}=`),
      );
    },
    breach: (of) => of.replace('org.opencontainers.image.licenses="Apache-2.0" \\\n', '\\\n'),
  },
  'its health is asked by a shell, without curl or wget': {
    faults: (of) => {
      const [check] = inLast(of, 'HEALTHCHECK');
      const words = JSON.parse(/CMD (\[.*\])$/.exec(check?.text ?? '')?.[1] ?? '[]') as string[];
      return words[0] === 'bash' && words[1] === '-c' && /\/dev\/tcp\/127\.0\.0\.1\/.*\/readyz/.test(words[2] ?? '') ? [] : [check];
    },
    breach: (of) => of.replace(/HEALTHCHECK[\s\S]*?\n(?=ENTRYPOINT)/, 'HEALTHCHECK CMD curl -f http://localhost:10200/readyz\n'),
  },
  'places that are written to are settings, outside of what is copied': {
    faults: (of) => {
      const settings = inLast(of, 'ENV')
        .map((each) => each.text)
        .join(' ');
      const right =
        ['NODE_ENV=production', 'HOST=0.0.0.0', 'DATA_DIR=/data', 'MODELS_DIR=/models'].every((each) => settings.includes(each)) &&
        inLast(of, 'VOLUME').length === 0;
      return right ? [] : [settings];
    },
    breach: (of) => of.replace('DATA_DIR=/data', 'DATA_DIR=/app/data'),
  },
};

describe('deploy/Dockerfile', () => {
  it('is read', () => {
    expect(stagesOf(text).map(({ name }) => name)).toEqual(['base', 'compiled', 'installed', 'faiss', 'pruned', 'runtime']);
  });

  it.each(Object.entries(RULES))('%s', (_rule, { faults, breach }) => {
    expect(faults(text)).toEqual([]);
    const broken = breach(text);
    expect(broken).not.toBe(text);
    expect(faults(broken)).not.toEqual([]);
  });

  it('names the release', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(text).toContain(`ARG VERSION=${version}\n`);
  });

  it('brings along what the scripts in it import', () => {
    const sources = copiesOf(last(text))
      .filter(({ from, target }) => from === undefined && target.startsWith('scripts'))
      .flatMap(({ sources: each }) => each);
    const files = sources.flatMap((source) =>
      statSync(join(ROOT, source)).isDirectory() ? readdirSync(join(ROOT, source)).map((name) => `${source}/${name}`) : [source],
    );
    const missing = files.flatMap((file) =>
      [...read(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)]
        .map(([, path = '']) => join(file, '..', path))
        .filter((path) => !files.includes(path)),
    );
    expect(files.length).toBeGreaterThan(10);
    expect(missing).toEqual([]);
  });

  it('and the stages that run a script bring what it imports', () => {
    for (const stage of stagesOf(text)) {
      const sources = copiesOf(stage)
        .filter(({ from }) => from === undefined)
        .flatMap(({ sources: each }) => each);
      const there = (path: string): boolean => sources.some((source) => path === source || path.startsWith(`${source}/`));
      const open = stage.instructions.flatMap(({ keyword, text: run }) =>
        keyword === 'RUN' ? [...run.matchAll(/\bnode (scripts\/\S+\.mjs)/g)].map(([, path = '']) => path) : [],
      );
      const seen = new Set<string>();
      for (const file of open) {
        if (seen.has(file)) continue;
        seen.add(file);
        expect([stage.name, file, there(file)]).toEqual([stage.name, file, true]);
        open.push(...[...read(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path = '']) => join(file, '..', path)));
      }
    }
  });
});

describe('what the image leaves out', () => {
  it('is what no running server reads: declarations, maps, manuals, other processors; licences stay', async () => {
    const { isSuperfluous } = await loadScript<{ isSuperfluous(name: string): boolean }>('deploy/prune.mjs');
    const out = ['index.js.map', 'index.d.ts', 'index.d.mts', 'README.md', 'CHANGELOG.markdown', 'tsconfig.tsbuildinfo'];
    const kept = [
      'index.js',
      'package.json',
      'LICENSE',
      'LICENSE.md',
      'license-mit.md',
      'NOTICE.md',
      'addon.node',
      'model.wasm',
      'map.js',
      'd.ts.js',
    ];
    expect(out.filter((name) => !isSuperfluous(name))).toEqual([]);
    expect(kept.filter(isSuperfluous)).toEqual([]);
  });
});
