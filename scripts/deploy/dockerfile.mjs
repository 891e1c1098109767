import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';

/** The stages of a Dockerfile: each its base image or stage, its name, and its instructions in order (`keyword`, `flags`, `words`, `text`, `line`). */
export function stagesOf(text = readFileSync(join(ROOT, 'deploy', 'Dockerfile'), 'utf8')) {
  const stages = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.keyword !== 'FROM') {
      stages.at(-1)?.instructions.push(instruction);
      continue;
    }
    const [from, , name] = instruction.words;
    stages.push({ from, name, flags: instruction.flags, instructions: [] });
  }
  return stages;
}

/** Comments are left out, and a line that ends with \ goes on in the next. */
function instructionsOf(text) {
  const found = [];
  let open;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*#/.test(line) || (open === undefined && line.trim() === '')) continue;
    open ??= { line: index + 1, parts: [] };
    open.parts.push(line.replace(/\\$/, '').trim());
    if (line.endsWith('\\')) continue;
    found.push(instructionOf(open));
    open = undefined;
  }
  return found;
}

function instructionOf({ line, parts }) {
  const [keyword, ...rest] = parts.join(' ').split(/\s+/);
  const flags = rest.slice(
    0,
    rest.findIndex((word) => !word.startsWith('--')),
  );
  const text = rest.slice(flags.length).join(' ');
  const words = text.startsWith('[') ? JSON.parse(text) : rest.slice(flags.length);
  return { line, keyword: keyword.toUpperCase(), flags, text, words };
}

/** What a COPY brings from the build context, or from another stage; and where to. */
export function copiesOf({ instructions }) {
  return instructions
    .filter(({ keyword }) => keyword === 'COPY')
    .map(({ flags, words, line }) => ({
      line,
      from: flags.find((flag) => flag.startsWith('--from='))?.slice('--from='.length),
      sources: words.slice(0, -1),
      target: words.at(-1),
    }));
}
