// npm run sync: writes every generated file; with --check it only compares, and fails on a difference.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { notices } from './supply/notices.mjs';
import { sbom } from './supply/sbom.mjs';
import { attackCasesPage } from './sync/attack-cases-page.mjs';
import { attackTests } from './sync/attack-tests.mjs';
import { kongYaml } from './sync/kong.mjs';
import { openAiParametersPage } from './sync/openai-parameters-page.mjs';
import { settingsPage } from './sync/settings-page.mjs';
import { ROOT, StepError, exitWith, say } from './toolchain/process.mjs';

const GENERATOR = join('dist', 'apps', 'api', 'src', 'openapi.js');
const PARAMETERS = join('dist', 'apps', 'api', 'src', 'openai', 'parameters.js');
const DEADLINE_MS = 60_000;

let made;

/** Each generated file by its path, and what it must hold. */
const GENERATED = {
  THIRD_PARTY_NOTICES: notices,
  'deploy/openapi.json': openApi,
  'deploy/kong/kong.yml': async () => kongYaml(JSON.parse(await openApi())),
  'deploy/sbom.cdx.json': () => sbom(),
  'docs/attack-cases.md': attackCases,
  'docs/openai-parameters.md': () => openAiParametersPage(createRequire(import.meta.url)(join(ROOT, PARAMETERS)).PARAMETER_TABLES),
  'docs/settings.md': () => settingsPage(readText('.env.example')),
};

await exitWith(async () => {
  const stale = [];
  for (const [path, generate] of Object.entries(GENERATED)) {
    const fresh = await generate();
    if (readText(path) === fresh) continue;
    stale.push(path);
    if (process.argv.includes('--check')) continue;
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), fresh);
    say(`Wrote ${path}.`);
  }
  if (stale.length === 0 || !process.argv.includes('--check')) return 0;
  throw new StepError(`${stale.join(', ')}: not what the sources say now. Run "npm run sync" and commit the result.`);
});

function attackCases() {
  const cases = createRequire(import.meta.url)(join(ROOT, 'test', 'attacks', 'cases.cjs'));
  return attackCasesPage(cases, attackTests(ROOT), JSON.parse(readText('test/attacks/last-red.json') ?? '{}'));
}

/** Made once: the configuration of the gateway is made of it too. */
function openApi() {
  made ??= makeOpenApi();
  return made;
}

async function makeOpenApi() {
  const options = { cwd: ROOT, maxBuffer: 64 << 20, timeout: DEADLINE_MS };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, GENERATOR)], options);
    return `${JSON.stringify(JSON.parse(stdout), null, 2)}\n`;
  } catch (error) {
    throw new StepError(`${GENERATOR} gave no OpenAPI document: ${error.stderr || error.message}`);
  }
}

/** A checkout on Windows may have turned the line ends. */
function readText(path) {
  try {
    return readFileSync(join(ROOT, path), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return undefined;
  }
}
