// npm run supply:audit: known flaws (high and critical) of what is installed for running, and the registry's signatures of all packages.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmCli } from '../toolchain/npm.mjs';
import { ROOT, exitWith, say } from '../toolchain/process.mjs';

const GRAVE = ['high', 'critical'];
const DEADLINE_MS = 5 * 60_000;
/** Ends with this code when the registry did not answer a question: neither good nor bad. */
const UNKNOWN = 2;

await exitWith(async () => {
  const codes = [await flaws(), await signatures()];
  return codes.includes(1) ? 1 : Math.max(...codes);
});

/** Each flaw is waived by its address for a reason until a day, or fails. */
async function flaws() {
  const { output, problem } = await ask(['audit', '--omit=dev', '--json']);
  const found = parsed(output)?.vulnerabilities;
  if (found === undefined) return unanswered('known flaws', problem);
  const waived = (url) => waivers().some((each) => each.url === url && Date.parse(each.until) > Date.now());
  const grave = Object.values(found).filter(
    ({ severity, via }) => GRAVE.includes(severity) && via.some((each) => typeof each === 'object' && !waived(each.url)),
  );
  for (const { name, severity, via } of grave) say(`${name} (${severity}): ${via.map((each) => each.url ?? each).join(', ')}`);
  say(`Known flaws, high or critical: ${grave.length} of ${Object.keys(found).length} packages with any.`);
  return grave.length > 0 ? 1 : 0;
}

async function signatures() {
  const { code, output, problem } = await ask(['audit', 'signatures', '--json']);
  const found = parsed(output);
  if (found?.invalid === undefined) return unanswered('signatures', problem);
  const bad = [...found.invalid, ...found.missing].map(({ name, version }) => `${name}@${version}`);
  say(`Signatures: ${bad.length} invalid or missing${bad.length > 0 ? `: ${bad.join(', ')}` : ''}.`);
  return bad.length > 0 || code !== 0 ? 1 : 0;
}

function unanswered(question, problem) {
  say(`COULD NOT RUN: ${question}: the registry does not answer this (${problem}).`);
  return UNKNOWN;
}

function ask(args) {
  const options = { cwd: ROOT, maxBuffer: 64 << 20, timeout: DEADLINE_MS };
  return new Promise((done) => {
    execFile(
      process.execPath,
      [npmCli(), ...args, '--audit', '--loglevel=error', '--fetch-retries=0'],
      options,
      (error, stdout, stderr) => {
        const problem = /\d{3} [A-Z][\w ]+ - \w+|network[^\n]*|E[A-Z]{4,}/.exec(`${stdout}${stderr}`)?.[0] ?? error?.message ?? 'no answer';
        done({ code: error?.code ?? 0, output: stdout, problem });
      },
    );
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** { url, until, reason } of flaws that do not reach us. */
function waivers() {
  return JSON.parse(readFileSync(join(ROOT, 'deploy', 'floors.json'), 'utf8')).waivers;
}
