// npm run demo: what the product does, against the running server: an account, three documents, five questions with cited answers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signIn } from './demo/account.mjs';
import { ask, ingest, newSession, showing } from './demo/talk.mjs';
import { ROOT } from './toolchain/process.mjs';

const DOCUMENTS = ['harbour-handbook.md', 'pump-manual.md', 'reading-room-rules.txt'];
/** Each inner list is one conversation. */
const CONVERSATIONS = [
  ['How many times per hour may the pump be started?'],
  ['How long is the shift of a boat crew in summer?', 'And in winter?'],
  ['What is the pump manual about?'],
  ['What is the capital of Mongolia?'],
];

await showing(async () => {
  const began = performance.now();
  const client = await signIn((text) => console.log(text));
  console.log('\nReading three documents:');
  for (const name of DOCUMENTS) await ingest(client, name, readFileSync(join(ROOT, 'test', 'fixtures', 'documents', name)));
  for (const questions of CONVERSATIONS) {
    const session = await newSession(client);
    for (const question of questions) await ask(client, session, question);
  }
  console.log(`\nAll done in ${((performance.now() - began) / 1000).toFixed(1)} s. The API is described at ${client.url}/docs.`);
});
