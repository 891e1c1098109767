import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const LANGUAGES = ['bash', 'js', 'python'] as const;
const DEADLINE_MS = 120_000;
const FENCE = /^```(\S*)[ \t]*(.*)\n([\s\S]*?)^```[ \t]*$/gm;

export interface Sample {
  /** Line of its fence in the page, from 1. */
  line: number;
  language: (typeof LANGUAGES)[number];
  code: string;
  /** Text that its output must hold. */
  expected: string | null;
}

export interface Guide {
  name: string;
  samples: Sample[];
  /** Shown only, with `no-run`. */
  shown: number;
  /** fresh: nobody has registered yet; stopped: it was used and stopped, and the samples get its DATA_DIR and an empty NEW_DATABASE_URL. */
  server: 'used' | 'fresh' | 'stopped';
  /** Settings of its server beside the usual ones; a value `$NAME` is taken from the environment of the tests. */
  settings: Record<string, string>;
}

/** Every page under docs/ that has samples. A page may say what server it needs: `<!-- server: fresh OLLAMA_URL=$TEST_OLLAMA_URL -->`. */
export function readGuides(folder = join(ROOT, 'docs')): Guide[] {
  const pages = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.md')) : [];
  return pages.sort().map((file) => readGuide(file, readFileSync(join(folder, file), 'utf8')));
}

export function readGuide(name: string, text: string): Guide {
  const server = (/^<!-- server: (.*) -->$/m.exec(text)?.[1] ?? '').split(/\s+/).filter((word) => word !== '');
  const guide: Guide = {
    name,
    samples: [],
    shown: 0,
    server: server.includes('fresh') ? 'fresh' : server.includes('stopped') ? 'stopped' : 'used',
    settings: {},
  };
  for (const [setting, value] of server.filter((word) => word.includes('=')).map((word) => word.split('=', 2))) {
    guide.settings[setting ?? ''] = value ?? '';
  }
  for (const { 1: language = '', 2: meta = '', 3: code = '', index } of text.matchAll(FENCE)) {
    const known = LANGUAGES.find((candidate) => candidate === language);
    if (known === undefined) continue;
    if (/\bno-run\b/.test(meta)) {
      guide.shown += 1;
      continue;
    }
    const expected = /\bexpect="((?:[^"\\]|\\.)*)"/.exec(meta)?.[1] ?? null;
    const line = text.slice(0, index).split('\n').length;
    guide.samples.push({ line, language: known, code, expected: expected === null ? null : (JSON.parse(`"${expected}"`) as string) });
  }
  return guide;
}

/** An empty folder for a page's samples; they find the repository's packages and commands there. */
export function workplace(guide: Guide): string {
  const folder = mkdtempSync(join(tmpdir(), `sutazai-guide-${guide.name}-`));
  for (const name of ['node_modules', 'package.json', 'scripts']) symlinkSync(join(ROOT, name), join(folder, name));
  return folder;
}

/** Runs a sample as a reader would; answers what it wrote. Fails with its output when it ends badly or takes more than two minutes. */
export function runSample(sample: Sample, folder: string, env: Record<string, string>): Promise<string> {
  const file = join(folder, { bash: 'sample.sh', js: 'sample.mjs', python: 'sample.py' }[sample.language]);
  writeFileSync(file, sample.language === 'bash' ? `set -euo pipefail\n${sample.code}` : sample.code);
  const program = { bash: 'bash', js: process.execPath, python: process.env.TEST_PYTHON ?? 'python3' }[sample.language];
  const PATH = `${join(process.execPath, '..')}:${process.env.PATH}`;
  const child = spawn(program, [file], { cwd: folder, env: { PATH, HOME: process.env.HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (piece) => (output += String(piece)));
    child.stderr.on('data', (piece) => (output += String(piece)));
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(deadline);
      const wrong =
        code !== 0
          ? `ended with ${code}`
          : sample.expected !== null && !output.includes(sample.expected)
            ? 'did not write what it promises'
            : null;
      if (wrong === null) resolve(output);
      else reject(new Error(`The sample in line ${sample.line} ${wrong}:\n${sample.code}\n--- output ---\n${output}`));
    });
  });
}
