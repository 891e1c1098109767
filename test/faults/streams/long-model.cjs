// Loaded into the real server before its own code (node --require): the only chat model is a script that writes as many pieces as the question names
// ("write 200"), one every 10 ms, so that many logs are long and grow while they are read. Everything else is the product as it is.
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const dist = join(__dirname, '..', '..', '..', 'dist', 'libs');
require('reflect-metadata');
const { ModelRuntimes, ModelsModule } = require(join(dist, 'features/models'));

const PIECE_MS = 10;
const DEFAULT_PIECES = 50;

const card = {
  id: 'scripted',
  kind: 'chat',
  runtime: 'scripted',
  state: 'ready',
  loaded: true,
  sizeBytes: 1,
  digest: null,
  license: 'none',
  languages: ['en'],
  contextLength: 8192,
  capabilities: ['chat'],
};

const scripted = {
  name: 'scripted',
  models: async () => [card],
  reachable: async () => true,
  activity: () => ({ running: 0, queued: 0, tokensPerSecond: null }),
  parallel: () => 8,
  load: async () => undefined,
  countTokens: async (_, texts) => texts.map((text) => Math.ceil(text.length / 4)),
  countPromptTokens: async () => 100,
  async *chat({ turns, signal }) {
    const pieces = Number(/write (\d+)/u.exec(turns.at(-1).content)?.[1] ?? DEFAULT_PIECES);
    for (let n = 1; n <= pieces; n += 1) {
      await delay(PIECE_MS, undefined, { signal });
      yield { type: 'text', text: `line ${n} of “${pieces}”,\n` };
    }
    yield { type: 'end', finishReason: 'stop', inputTokens: 100, outputTokens: pieces, seconds: (pieces * PIECE_MS) / 1_000 };
  },
};

const provider = Reflect.getMetadata('providers', ModelsModule).find(({ provide }) => provide === ModelRuntimes);
Object.assign(provider, { inject: [], useFactory: () => ({ all: [scripted] }) });
