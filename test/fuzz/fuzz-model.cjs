// Loaded into the real server before its own code (node --require): the models are a script, so that what is fuzzed is the API and not the patience
// for a model, and no address that a fuzzer made up is looked up or dialled. Everything else is the product as it is.
const { join } = require('node:path');
const { chatCard, dist, embeddingCard, serve, tokens, total, vectorOf } = require('../support/scripted-models.cjs');
const { HostResolver, SocketConnector } = require(join(dist, 'backing/egress'));
const { AppError } = require(join(dist, 'kernel/errors'));

const WORDS = ['The ', 'harbour ', 'office ', 'opens ', 'at ', 'six.'];

async function* say(inputTokens, { maxTokens }) {
  const said = WORDS.slice(0, maxTokens);
  for (const text of said) yield { type: 'text', text };
  const finishReason = said.length < WORDS.length ? 'length' : 'stop';
  yield { type: 'end', finishReason, inputTokens, outputTokens: said.length, seconds: 0.01 };
}

serve([chatCard('completion', 'tools', 'json_schema'), embeddingCard], {
  chat: (request) => say(total(request.turns.map(({ content }) => content)), request),
  complete: (request) => say(tokens(request.prompt), request),
  embed: async ({ texts }) => ({ vectors: texts.map(vectorOf), inputTokens: total(texts), seconds: 0.01 }),
});

HostResolver.prototype.resolve = async () => {
  throw new AppError('unprocessable', 'url: no such host was found.');
};
SocketConnector.prototype.connector = async () => (_, callback) =>
  callback(Object.assign(new Error('no network'), { code: 'ENETUNREACH' }), null);
