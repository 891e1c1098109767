// npm run eval:agents [-- --verbose]
// The ready-made agent of a workspace over HTTP, with the built-in models: a real server process on an embedded database of its own, the fixture
// documents, and the first two labelled questions about a fact of each of the five. An answer counts when it holds the fact and every passage that
// it cites, at least one, is right. Exits with 1 below 8 of 10.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess, repository } from '../support/server.mjs';
import { holdsFacts, isRefusal, isRightPassage } from './judge.mjs';

const PER_DOCUMENT = 2;
const TARGET = 8;

const { values: options } = parseArgs({ options: { verbose: { type: 'boolean' } } });
const folder = join(repository, 'test', 'fixtures', 'documents');
const texts = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const all = JSON.parse(readFileSync(join(import.meta.dirname, 'questions.json'), 'utf8')).questions.filter(({ kind }) => kind === 'fact');
const questions = [...texts.keys()].flatMap((name) => all.filter(({ document }) => document === name).slice(0, PER_DOCUMENT));

const server = new ServerProcess({ environment: { LOG_LEVEL: 'warn' } });
try {
  await server.start();
  const client = new Client(server.url);
  await client.register('evaluation@example.org', 'correct horse battery staple');
  for (const [name, text] of texts) {
    const { job } = await client.upload(name, text);
    const last = await client.finish(job.id);
    if (last.event !== 'done') throw new Error(`${name} was not ingested: ${JSON.stringify(last.data)}`);
  }
  const agent = (await client.json('GET', '/api/v1/agents')).data.find(({ name }) => name === 'research');
  if (agent === undefined) throw new Error('The workspace has no ready-made agent.');
  const results = [];
  for (const question of questions) results.push(await answered(client, agent.id, question));
  const right = results.filter(Boolean).length;
  console.log(`${right} of ${results.length} answered with the fact and right citations; target ${TARGET}`);
  process.exitCode = right >= TARGET ? 0 : 1;
} finally {
  await server.stop();
  server.remove();
}

async function answered(client, agentId, question) {
  const began = performance.now();
  const { run, job } = await client.json('POST', `/api/v1/agents/${agentId}/runs`, { input: question.question });
  const last = await client.finish(job.id);
  const ended = await client.json('GET', `/api/v1/agents/runs/${run.id}`);
  if (last.event !== 'done' || ended.status !== 'succeeded')
    throw new Error(`${question.id} ended with ${last.event}: ${JSON.stringify(last.data)}`);
  const tools = ended.steps.filter(({ kind }) => kind === 'tool').map(({ tool }) => tool);
  if (tools[0] !== 'search_collection' || ended.steps.at(-1).kind !== 'model')
    throw new Error(`${question.id}: the steps are ${JSON.stringify(ended.steps)}`);
  const cited = ended.citations.filter(({ supports }) => supports.length > 0);
  const fact = !isRefusal(ended.output) && holdsFacts(ended.output, question.facts);
  const right = fact && cited.length > 0 && cited.every((citation) => isRightPassage(citation, question, texts));
  console.log(
    `${right ? 'right' : 'WRONG'} ${question.id} (${Math.round(performance.now() - began)} ms; ${tools.join(', ')}, answer; ${cited.length} cited) ${question.question}`,
  );
  if (options.verbose || !right) console.log(`    ${ended.output.replaceAll('\n', '\n    ')}`);
  return right;
}
