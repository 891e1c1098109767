// Loaded into the real server before its own code (node --require): the models are a script, so that what is fuzzed is the API and not the patience
// for a model, and no address that a fuzzer made up is looked up or dialled. Everything else is the product as it is.
const { createHash } = require('node:crypto');
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist', 'libs');
require('reflect-metadata');
const { HostResolver, SocketConnector } = require(join(dist, 'backing/egress'));
const { AppError } = require(join(dist, 'kernel/errors'));
const { ModelRuntimes, ModelsModule } = require(join(dist, 'features/models'));

const DIMENSIONS = 8;
const WORDS = ['The ', 'harbour ', 'office ', 'opens ', 'at ', 'six.'];
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
  card('scripted', 'chat', { contextLength: 8192, capabilities: ['chat', 'completion', 'tools', 'json_schema'] }),
  card('scripted-embedding', 'embedding', {
    contextLength: 512,
    capabilities: ['embedding'],
    embedding: { dimensions: DIMENSIONS, maxInputTokens: 512, pooling: 'mean', queryPrefix: '', documentPrefix: '', threshold: 0.3 },
  }),
];

/** A unit vector that depends on nothing but the text. */
function vectorOf(text) {
  const bytes = createHash('sha256').update(text).digest();
  const numbers = Float32Array.from({ length: DIMENSIONS }, (_, at) => bytes[at] - 127.5);
  const length = Math.hypot(...numbers);
  return numbers.map((number) => number / length);
}

const tokens = (text) => Math.ceil(text.length / 4);
const total = (texts) => texts.reduce((sum, text) => sum + tokens(text), 0);

async function* say(inputTokens, { maxTokens }) {
  const said = WORDS.slice(0, maxTokens);
  for (const text of said) yield { type: 'text', text };
  const finishReason = said.length < WORDS.length ? 'length' : 'stop';
  yield { type: 'end', finishReason, inputTokens, outputTokens: said.length, seconds: 0.01 };
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
  chat: (request) => say(total(request.turns.map(({ content }) => content)), request),
  complete: (request) => say(tokens(request.prompt), request),
  embed: async ({ texts }) => ({ vectors: texts.map(vectorOf), inputTokens: total(texts), seconds: 0.01 }),
};

const provider = Reflect.getMetadata('providers', ModelsModule).find(({ provide }) => provide === ModelRuntimes);
Object.assign(provider, { inject: [], useFactory: () => ({ all: [scripted] }) });

HostResolver.prototype.resolve = async () => {
  throw new AppError('unprocessable', 'url: no such host was found.');
};
SocketConnector.prototype.connector = async () => (_, callback) =>
  callback(Object.assign(new Error('no network'), { code: 'ENETUNREACH' }), null);
