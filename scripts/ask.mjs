// npm run ask -- FILE "question": uploads a text or Markdown file to the running server and asks; the answer comes with its sources.
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { Obstacle, signIn } from './demo/account.mjs';
import { ask, ingest, newSession, showing } from './demo/talk.mjs';

await showing(async () => {
  const [file, ...words] = process.argv.slice(2);
  if (file === undefined || words.length === 0) throw new Obstacle('Usage: npm run ask -- FILE "question"');
  const content = contentOf(resolve(process.env.INIT_CWD ?? '.', file));
  const client = await signIn((text) => console.log(text));
  await ingest(client, basename(file), content);
  await ask(client, await newSession(client), words.join(' '));
});

function contentOf(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Obstacle(`${path} could not be read: ${error.code ?? error.message}.`);
  }
}
