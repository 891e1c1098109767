// Loaded into the product's processes before their own code (node --require): the models are a script with known answers, so that a cell's time goes into its
// fault. GENERATIONS names a file that gets a line for each generation that ended: what was asked, and when (monotonic, ms) its last piece was made.
const { appendFileSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { chatCard, dist, embeddingCard, serve, total, vectorOf } = require('../../support/scripted-models.cjs');
const { AppError } = require(join(dist, 'kernel/errors'));

const PIECES = 60;
const PIECE_MS = 8;
const EMBED_MS = 60;
/** Of a question that says `slowly`. */
const SLOW_PIECES = 600;
const SLOW_PIECE_MS = 25;

function vectorOrPoison(text) {
  if (text.includes('poison')) throw new AppError('unprocessable', 'The text cannot be embedded.', { retryable: false });
  return vectorOf(text);
}

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

serve([chatCard('tools'), embeddingCard], {
  chat: say,
  embed: async ({ texts, signal }) => {
    await delay(EMBED_MS, undefined, { signal });
    return { vectors: texts.map(vectorOrPoison), inputTokens: total(texts), seconds: 0.01 };
  },
});
