// Loaded into the product's processes before their own code (node --require): the models are a script with known answers, so that a cell's time goes into its
// fault. GENERATIONS names a file that gets a line for each generation that ended: what was asked, and when (monotonic, ms) its last piece was made.
const { createHash } = require('node:crypto');
const { appendFileSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const dist = join(__dirname, '..', '..', '..', 'dist', 'libs');
require('reflect-metadata');
const { AppError } = require(join(dist, 'kernel/errors'));
const { ModelRuntimes, ModelsModule } = require(join(dist, 'features/models'));

const DIMENSIONS = 8;
const PIECES = 60;
const PIECE_MS = 8;
const EMBED_MS = 60;
/** Of a question that says `slowly`. */
const SLOW_PIECES = 600;
const SLOW_PIECE_MS = 25;

const card = (id, kind, more) => ({
  id,
  kind,
  runtime: 'scripted',
  state: 'ready',
  loaded: true,
  sizeBytes: 1,
  digest: null,
  license: 'none',
  languages: ['en'],
  ...more,
});
const cards = [
  card('scripted', 'chat', { contextLength: 8192, capabilities: ['chat', 'tools'] }),
  card('scripted-embedding', 'embedding', {
    contextLength: 512,
    capabilities: ['embedding'],
    embedding: { dimensions: DIMENSIONS, maxInputTokens: 512, pooling: 'mean', queryPrefix: '', documentPrefix: '', threshold: 0.3 },
  }),
];

function vectorOf(text) {
  if (text.includes('poison')) throw new AppError('unprocessable', 'The text cannot be embedded.', { retryable: false });
  const bytes = createHash('sha256').update(text).digest();
  const numbers = Float32Array.from({ length: DIMENSIONS }, (_, at) => bytes[at] - 127.5);
  const length = Math.hypot(...numbers);
  return numbers.map((number) => number / length);
}

const tokens = (text) => Math.ceil(text.length / 4);
const total = (texts) => texts.reduce((sum, text) => sum + tokens(text), 0);
const end = (finishReason, outputTokens) => ({ type: 'end', finishReason, inputTokens: 100, outputTokens, seconds: 0.01 });

/** With tools offered and none used yet one call; else the answer, piece by piece. */
async function* say({ turns, tools, signal }) {
  const question = turns.findLast(({ role }) => role === 'user').content;
  if (tools?.length > 0 && !turns.some(({ role }) => role === 'tool')) {
    yield { type: 'tool_call', call: { id: 'sum', name: 'calculate', arguments: JSON.stringify({ expression: '20 + 22' }) } };
    yield end('tool_calls', 10);
    return;
  }
  const slow = question.includes('slowly');
  let last = 0;
  try {
    for (let piece = 0; piece < (slow ? SLOW_PIECES : PIECES); piece += 1) {
      await delay(slow ? SLOW_PIECE_MS : PIECE_MS, undefined, { signal });
      last = Number(process.hrtime.bigint()) / 1e6;
      yield { type: 'text', text: `word${piece} ` };
    }
    yield end('stop', PIECES);
  } finally {
    appendFileSync(process.env.GENERATIONS, `${JSON.stringify({ key: question, last })}\n`);
  }
}

const scripted = {
  name: 'scripted',
  models: async () => cards,
  reachable: async () => true,
  activity: () => ({ running: 0, queued: 0, tokensPerSecond: null }),
  parallel: () => 8,
  load: async () => undefined,
  countTokens: async (_, texts) => texts.map(tokens),
  countPromptTokens: async (_, turns) => total(turns.map(({ content }) => content)),
  chat: say,
  embed: async ({ texts, signal }) => {
    await delay(EMBED_MS, undefined, { signal });
    return { vectors: texts.map(vectorOf), inputTokens: total(texts), seconds: 0.01 };
  },
};

const provider = Reflect.getMetadata('providers', ModelsModule).find(({ provide }) => provide === ModelRuntimes);
Object.assign(provider, { inject: [], useFactory: () => ({ all: [scripted] }) });
