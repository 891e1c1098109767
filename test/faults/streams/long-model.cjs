// Loaded into the real server before its own code (node --require): the only chat model is a script that writes as many pieces as the question names
// ("write 200"), one every 10 ms, so that many logs are long and grow while they are read. Everything else is the product as it is.
const { setTimeout: delay } = require('node:timers/promises');
const { chatCard, serve } = require('../../support/scripted-models.cjs');

const PIECE_MS = 10;
const DEFAULT_PIECES = 50;

serve([chatCard()], {
  countPromptTokens: async () => 100,
  async *chat({ turns, signal }) {
    const pieces = Number(/write (\d+)/u.exec(turns.at(-1).content)?.[1] ?? DEFAULT_PIECES);
    for (let n = 1; n <= pieces; n += 1) {
      await delay(PIECE_MS, undefined, { signal });
      yield { type: 'text', text: `line ${n} of “${pieces}”,\n` };
    }
    yield { type: 'end', finishReason: 'stop', inputTokens: 100, outputTokens: pieces, seconds: (pieces * PIECE_MS) / 1_000 };
  },
});
