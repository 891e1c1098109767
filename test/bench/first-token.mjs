// npm run bench:first-token -- [--rounds 20]: the first token at the runtime, warm, after a short prompt; beside it the first text of an answer
// over HTTP (the same model through accepting, the job, the event log and the stream). Medians and ranges in milliseconds.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from '../../scripts/client.mjs';
import { ServerProcess, repository } from '../support/server.mjs';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });
const rounds = Number(options.rounds);
const MODEL = 'smollm2-135m-instruct';
const question = (n) => `Name ${n + 2} things that a lighthouse keeper does in the morning.`;

function line(name, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const figure = (value) => value.toFixed(0).padStart(5);
  process.stdout.write(
    `${name.padEnd(28)} median ${figure(sorted[Math.floor(sorted.length / 2)])}  least ${figure(sorted[0])}  most ${figure(sorted.at(-1))} ms\n`,
  );
}

async function atTheRuntime() {
  const { LlamaCppClient, LlamaCppRuntime } = createRequire(import.meta.url)(join(repository, 'dist/libs/backing/llama-cpp'));
  const directory = process.env.MODELS_DIR ?? join(repository, '.data', 'models');
  const config = {
    models: { directory, chat: MODEL, embedding: 'all-minilm-l6-v2', coldSeconds: 60, firstTokenSeconds: 60, idleSeconds: 60 },
  };
  const runtime = new LlamaCppRuntime(config, new LlamaCppClient(config));
  const signal = AbortSignal.timeout(300_000);
  await runtime.load(MODEL, signal);
  const times = [];
  for (let n = 0; n <= rounds; n++) {
    const started = performance.now();
    const turns = [{ role: 'user', content: question(n) }];
    for await (const chunk of runtime.chat({ model: MODEL, turns, maxTokens: 8, temperature: 0, signal })) {
      if (chunk.type !== 'text') continue;
      times.push(performance.now() - started);
      break;
    }
  }
  await runtime.onApplicationShutdown();
  // The first round is the warm-up.
  return times.slice(1);
}

async function overHttp() {
  const server = new ServerProcess({ environment: { LOG_LEVEL: 'warn' } });
  await server.start();
  const client = new Client(server.url);
  await client.register('bench@example.org', 'a long enough password');
  const times = [];
  for (let n = 0; n <= rounds; n++) {
    const session = await client.json('POST', '/api/v1/chat/sessions', {});
    const started = performance.now();
    const { job } = await client.json('POST', `/api/v1/chat/sessions/${session.id}/messages`, {
      content: question(n),
      options: { max_tokens: 8 },
    });
    let first;
    await client.finish(job.id, (event) => {
      if (event.event === 'delta') first ??= performance.now() - started;
    });
    times.push(first);
  }
  await server.stop();
  server.remove();
  return times.slice(1);
}

line('first token at the runtime', await atTheRuntime());
line('first delta over HTTP', await overHttp());
