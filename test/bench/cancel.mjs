// npm run bench:cancel -- [--rounds 100] [--with recorded,deaf,ollama,built-in] [--states 'tokens;tool'] [--seed 1]: work that is stopped at random moments of
// each state, through another replica than the one that does it; and clients of /v1 that leave. Counts how long the models went on, and the tokens that they
// still made, by a recording upstream, the real Ollama behind a recording proxy, and the built-in runtime. Ends with 1 when one was not stopped in time.
import { parseArgs } from 'node:util';
import { builtIn } from './cancel/built-in.mjs';
import { randomNumbers, State } from './cancel/figures.mjs';
import { ollama } from './cancel/ollama.mjs';
import { deaf, recorded } from './cancel/recorded.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    with: { type: 'string', default: 'recorded,deaf,ollama,built-in' },
    states: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
});
const SUITES = { recorded, deaf, ollama, 'built-in': builtIn };
const say = (line) => process.stdout.write(`${line}\n`);

const parts = options.states.split(';').filter((part) => part !== '');
const wanted = (name) => parts.length === 0 || parts.some((part) => name.includes(part));
let failures = 0;
const tell = (state) => {
  if (!state.passed) failures += 1;
  say(String(state));
};
say(State.head);
for (const name of options.with.split(',')) {
  const suite = SUITES[name];
  if (suite === undefined) throw new Error(`--with ${name}: one of ${Object.keys(SUITES).join(', ')}`);
  const [line, faults] = await suite({ rounds: Number(options.rounds), random: randomNumbers(Number(options.seed)), wanted, tell });
  failures += faults;
  say(line);
}
process.exitCode = failures === 0 ? 0 : 1;
