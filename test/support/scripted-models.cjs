// What the rigs that replace the models of a real server have in common. They are loaded before its own code (node --require), from its build.
const { createHash } = require('node:crypto');
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist', 'libs');
require('reflect-metadata');
const { ModelRuntimes, ModelsModule } = require(join(dist, 'features/models'));

const DIMENSIONS = 8;

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

const chatCard = (...capabilities) => card('scripted', 'chat', { contextLength: 8192, capabilities: ['chat', ...capabilities] });

const embeddingCard = card('scripted-embedding', 'embedding', {
  contextLength: 512,
  capabilities: ['embedding'],
  embedding: { dimensions: DIMENSIONS, maxInputTokens: 512, pooling: 'mean', queryPrefix: '', documentPrefix: '', threshold: 0.3 },
});

/** A unit vector that depends on nothing but the text. */
function vectorOf(text) {
  const bytes = createHash('sha256').update(text).digest();
  const numbers = Float32Array.from({ length: DIMENSIONS }, (_, at) => bytes[at] - 127.5);
  const length = Math.hypot(...numbers);
  return numbers.map((number) => number / length);
}

const tokens = (text) => Math.ceil(text.length / 4);
const total = (texts) => texts.reduce((sum, text) => sum + tokens(text), 0);

/** Makes these models the only ones of the server; `calls` are what they answer, beside what every runtime must know. */
function serve(cards, calls) {
  const runtime = {
    name: 'scripted',
    models: async () => cards,
    reachable: async () => true,
    activity: () => ({ running: 0, queued: 0, tokensPerSecond: null }),
    parallel: () => 8,
    load: async () => undefined,
    countTokens: async (_, texts) => texts.map(tokens),
    countPromptTokens: async (_, turns) => total(turns.map(({ content }) => content)),
    ...calls,
  };
  const provider = Reflect.getMetadata('providers', ModelsModule).find(({ provide }) => provide === ModelRuntimes);
  Object.assign(provider, { inject: [], useFactory: () => ({ all: [runtime] }) });
}

module.exports = { chatCard, dist, embeddingCard, serve, tokens, total, vectorOf };
