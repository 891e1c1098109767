// Every guard that can be switched off, for the attack tests alone: a change of one place in one source file, made while that file is compiled.
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

/**
 * All mutants: { guard: a unique name, file: from the root, find: text that stands there exactly once, replace: what stands there without the guard,
 * spec: the file of the tests that must turn red (from test/attacks, without `.spec.ts`), cases: the numbers that these tests bear }.
 */
const MUTANTS = readdirSync(__dirname)
  .filter((name) => name.endsWith('.mutants.cjs'))
  .flatMap((name) => require(join(__dirname, name)));

function mutantNamed(guard) {
  const mutant = MUTANTS.find((known) => known.guard === guard);
  if (mutant === undefined)
    throw new Error(`ATTACK_CONTROL=${guard}: no such guard; known are ${MUTANTS.map((known) => known.guard).join(', ')}`);
  return mutant;
}

/** Whether a path is that of the guard's file. */
const isGuarded = ({ file }, path) => path.replaceAll('\\', '/').endsWith(`/${file}`);

/** The source without the guard, if it is the guard's file. */
function switchedOff(mutant, source, path) {
  const { guard, file, find, replace } = mutant;
  if (!isGuarded(mutant, path)) return source;
  if (source.split(find).length !== 2)
    throw new Error(`${guard}: "${find}" stands ${source.split(find).length - 1} times in ${file}, not once`);
  return source.replace(find, () => replace);
}

module.exports = { MUTANTS, isGuarded, mutantNamed, switchedOff };
