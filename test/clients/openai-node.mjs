// The official `openai` package for Node, unmodified, against a running server (see settings.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { ALIAS, BASE_URL, CHAT, COLLECTION, EMBEDDING, KEY, PERSON, POOR_KEY, SLOW_KEY, WEATHER, cosine } from './settings.mjs';

const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });
const HELLO = { model: CHAT, messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: 16, temperature: 0 };

async function collected(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { chunks, text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('') };
}

test('models: list, one, and an alias', async () => {
  const ids = (await client.models.list()).data.map(({ id }) => id);
  assert.deepEqual(ids, [CHAT, EMBEDDING, ALIAS].sort());
  const model = await client.models.retrieve(CHAT);
  assert.equal(model.id, CHAT);
  assert.equal(model.object, 'model');
  assert.ok(Math.abs(model.created - Date.now() / 1000) < 3_600);
  assert.equal((await client.models.retrieve(ALIAS)).id, ALIAS);
  await assert.rejects(client.models.retrieve('gpt-unheard-of'), OpenAI.NotFoundError);
});

test('chat: whole', async () => {
  const answer = await client.chat.completions.create(HELLO);
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, CHAT);
  const [choice] = answer.choices;
  assert.equal(choice.message.role, 'assistant');
  assert.ok(choice.message.content.length > 0);
  assert.ok(['stop', 'length'].includes(choice.finish_reason));
  const { prompt_tokens: read, completion_tokens: made, total_tokens: all } = answer.usage;
  assert.ok(read > 0 && made > 0 && made <= 16);
  assert.equal(all, read + made);
});

test('chat: streamed, chunk by chunk the same answer', async () => {
  const whole = await client.chat.completions.create(HELLO);
  const stream = await client.chat.completions.create({ ...HELLO, stream: true });
  const { chunks, text } = await collected(stream);
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(new Set(chunks.map(({ id, created, object, model }) => `${id} ${created} ${object} ${model}`)).size, 1);
  assert.equal(chunks.at(-1).choices[0].finish_reason, whole.choices[0].finish_reason);
  assert.equal(chunks.filter((chunk) => 'usage' in chunk).length, 0);
});

test('chat: include_usage gives the usage in a last chunk of its own', async () => {
  const whole = await client.chat.completions.create(HELLO);
  const stream = await client.chat.completions.create({ ...HELLO, stream: true, stream_options: { include_usage: true } });
  const { chunks } = await collected(stream);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.deepEqual(chunks.at(-1).usage, whole.usage);
  assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null));
});

test('chat: the streaming helper of the client puts the answer together', async () => {
  const answer = await client.chat.completions.stream(HELLO).finalChatCompletion();
  assert.equal(answer.choices[0].message.content, (await client.chat.completions.create(HELLO)).choices[0].message.content);
});

test('chat: max_tokens and max_completion_tokens cut, stop ends, seed repeats', async () => {
  const cut = await client.chat.completions.create({ ...HELLO, max_tokens: undefined, max_completion_tokens: 2 });
  assert.equal(cut.choices[0].finish_reason, 'length');
  assert.equal(cut.usage.completion_tokens, 2);
  const full = (await client.chat.completions.create(HELLO)).choices[0].message.content;
  const stop = full.split(' ')[1];
  const stopped = await client.chat.completions.create({ ...HELLO, stop });
  assert.equal(stopped.choices[0].finish_reason, 'stop');
  assert.equal(stopped.choices[0].message.content, full.slice(0, full.indexOf(stop)));
  const wild = { ...HELLO, temperature: 1.5, seed: 7 };
  const [one, two] = [await client.chat.completions.create(wild), await client.chat.completions.create(wild)];
  assert.equal(one.choices[0].message.content, two.choices[0].message.content);
  const other = await client.chat.completions.create({ ...wild, seed: 8 });
  assert.notEqual(other.choices[0].message.content, one.choices[0].message.content);
});

test('chat: roles and text parts', async () => {
  const messages = [
    {
      role: 'developer',
      content: [
        { type: 'text', text: 'You answer ' },
        { type: 'text', text: 'in one word.' },
      ],
    },
    { role: 'user', content: 'Hi.' },
    { role: 'assistant', content: 'Hi!' },
    { role: 'user', content: [{ type: 'text', text: 'Say hello.' }] },
  ];
  const parts = await client.chat.completions.create({ ...HELLO, messages });
  const plain = messages.map(({ role, content }) => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
  }));
  const same = await client.chat.completions.create({ ...HELLO, messages: plain });
  assert.equal(parts.choices[0].message.content, same.choices[0].message.content);
  assert.deepEqual(parts.usage, same.usage);
});

test('chat: an alias answers as the model it stands for', async () => {
  const answer = await client.chat.completions.create({ ...HELLO, model: ALIAS });
  assert.equal(answer.model, CHAT);
});

test('chat: response_format json_schema holds the answer to the schema', async () => {
  const answer = await client.chat.completions.create({
    ...HELLO,
    max_tokens: 64,
    messages: [{ role: 'user', content: 'Tell me about Ada, who is 36 years old, as JSON.' }],
    response_format: { type: 'json_schema', json_schema: { name: 'person', schema: PERSON, strict: true } },
  });
  const person = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(person), ['name', 'age']);
  assert.equal(typeof person.name, 'string');
  assert.ok(Number.isInteger(person.age));
});

test('chat: response_format json_object gives JSON', async () => {
  const answer = await client.chat.completions.create({
    ...HELLO,
    max_tokens: 200,
    messages: [{ role: 'user', content: 'Give me a JSON object with the key "greeting".' }],
    response_format: { type: 'json_object' },
  });
  if (answer.choices[0].finish_reason === 'stop') JSON.parse(answer.choices[0].message.content);
  assert.match(answer.choices[0].message.content, /^\s*\{/);
});

test('chat: a tool call and its result', async () => {
  const tools = [{ type: 'function', function: WEATHER }];
  const question = { role: 'user', content: 'What is the weather in Paris?' };
  const tool_choice = { type: 'function', function: { name: WEATHER.name } };
  const asked = { ...HELLO, max_tokens: 64, messages: [question], tools, tool_choice };
  const called = await client.chat.completions.create(asked);
  const [choice] = called.choices;
  assert.equal(choice.finish_reason, 'tool_calls');
  const [call] = choice.message.tool_calls;
  assert.equal(call.type, 'function');
  assert.equal(call.function.name, WEATHER.name);
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
  const { text, chunks } = await collected(await client.chat.completions.create({ ...asked, stream: true }));
  assert.equal(text, '');
  const streamed = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
  assert.deepEqual(
    streamed.map((part) => [part.index, part.function]),
    [[0, call.function]],
  );
  const after = await client.chat.completions.create({
    ...asked,
    tool_choice: 'none',
    messages: [question, choice.message, { role: 'tool', tool_call_id: call.id, content: '18 degrees and sunny' }],
  });
  assert.equal(after.choices[0].message.tool_calls, undefined);
  assert.ok(after.choices[0].message.content.length > 0);
});

test('chat: collections ground the answer, with citations in the annotations', async () => {
  const grounded = {
    ...HELLO,
    max_tokens: 64,
    messages: [{ role: 'user', content: 'When does the harbour office open?' }],
    collections: [COLLECTION],
  };
  const answer = await client.chat.completions.create(grounded);
  const { message } = answer.choices[0];
  assert.match(message.content, /six|6/i);
  const [annotation] = message.annotations;
  assert.equal(annotation.type, 'url_citation');
  assert.equal(annotation.url_citation.title, 'harbour.txt');
  assert.match(annotation.citation.quote, /harbour office opens/);
  const { chunks, text } = await collected(await client.chat.completions.create({ ...grounded, stream: true }));
  assert.equal(text, message.content);
  assert.deepEqual(chunks.at(-1).choices[0].delta.annotations, message.annotations);
  await assert.rejects(
    client.chat.completions.create({ ...grounded, collections: ['nowhere'] }),
    (error) => error instanceof OpenAI.NotFoundError && error.param === 'collections',
  );
});

test('completions: whole, streamed, echo, several prompts', async () => {
  const asked = { model: CHAT, prompt: 'The capital of France is', max_tokens: 6, temperature: 0 };
  const answer = await client.completions.create(asked);
  assert.equal(answer.object, 'text_completion');
  assert.match(answer.choices[0].text, /Paris/);
  const stream = await client.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), answer.choices[0].text);
  assert.deepEqual(chunks.at(-1).usage, answer.usage);
  const two = await client.completions.create({ ...asked, prompt: [asked.prompt, 'One, two, three,'], echo: true });
  assert.deepEqual(
    two.choices.map(({ index }) => index),
    [0, 1],
  );
  assert.equal(two.choices[0].text, asked.prompt + answer.choices[0].text);
  assert.ok(two.choices[1].text.startsWith('One, two, three, four'));
});

test('embeddings: base64 by default, floats, batches', async () => {
  const texts = ['a boat in the harbour', 'a ship at the quay', 'the theory of numbers'];
  const byDefault = await client.embeddings.create({ model: EMBEDDING, input: texts });
  assert.deepEqual(
    byDefault.data.map(({ index, object }) => [index, object]),
    texts.map((_, index) => [index, 'embedding']),
  );
  const [boat, ship, numbers] = byDefault.data.map(({ embedding }) => embedding);
  assert.equal(boat.length, 384);
  assert.ok(Math.abs(cosine(boat, boat) - 1) < 1e-4);
  assert.ok(cosine(boat, ship) > cosine(boat, numbers) + 0.2);
  const floats = await client.embeddings.create({ model: EMBEDDING, input: texts[0], encoding_format: 'float', dimensions: 384 });
  assert.deepEqual(Array.from(floats.data[0].embedding, Math.fround), Array.from(boat, Math.fround));
  assert.equal(floats.usage.prompt_tokens, floats.usage.total_tokens);
  const many = Array.from({ length: 40 }, (_, index) => `Text number ${index}`);
  const batch = await client.embeddings.create({ model: EMBEDDING, input: many });
  const [alone] = (await client.embeddings.create({ model: EMBEDDING, input: many[33] })).data;
  assert.ok(cosine(batch.data[33].embedding, alone.embedding) > 0.9999);
});

test('errors are those of the client', async () => {
  const as = (apiKey) => new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries: 0 });
  const hidden = await as('sk-wrong')
    .models.list()
    .catch((error) => error);
  assert.ok(hidden instanceof OpenAI.AuthenticationError);
  assert.equal(hidden.code, 'invalid_api_key');
  assert.ok(hidden.requestID);
  await assert.rejects(as(POOR_KEY).chat.completions.create(HELLO), OpenAI.PermissionDeniedError);
  const missing = await client.chat.completions.create({ ...HELLO, model: 'gpt-unheard-of' }).catch((error) => error);
  assert.ok(missing instanceof OpenAI.NotFoundError);
  assert.equal(missing.code, 'model_not_found');
  assert.equal(missing.param, 'model');
  assert.match(missing.message, new RegExp(CHAT));
  const slow = as(SLOW_KEY);
  await slow.models.list();
  const limited = await slow.models.list().catch((error) => error);
  assert.ok(limited instanceof OpenAI.RateLimitError);
  assert.equal(limited.code, 'rate_limit_exceeded');
  assert.ok(Number(limited.headers.get('retry-after')) >= 1);
});

const REFUSED = [
  [{ n: 2 }, 'n', 'unsupported_parameter'],
  [{ logprobs: true }, 'logprobs', 'unsupported_parameter'],
  [{ logit_bias: { 5: 100 } }, 'logit_bias', 'unsupported_parameter'],
  [{ frequency_penalty: 0.5 }, 'frequency_penalty', 'unsupported_parameter'],
  [{ modalities: ['text', 'audio'] }, 'modalities', 'unsupported_parameter'],
  [{ audio: { voice: 'alloy', format: 'wav' } }, 'audio', 'unsupported_parameter'],
  [{ reasoning_effort: 'high' }, 'reasoning_effort', null],
  [{ temperature: 3 }, 'temperature', null],
  [{ tool_choice: 'required' }, 'tool_choice', null],
  [{ max_tokens: 100_000 }, 'messages', 'context_length_exceeded'],
  [{ unheard_of: 1 }, 'unheard_of', 'unknown_parameter'],
  [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }, 'messages[0].content', null],
  [{ messages: [{ role: 'tool', tool_call_id: 'none', content: '' }] }, 'messages[0].tool_call_id', null],
  [{ model: EMBEDDING }, 'model', null],
];
for (const [fields, param, code] of REFUSED) {
  test(`refused: ${JSON.stringify(fields)}`, async () => {
    const error = await client.chat.completions.create({ ...HELLO, ...fields }).catch((caught) => caught);
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.deepEqual([error.status, error.type, error.param, error.code], [400, 'invalid_request_error', param, code]);
  });
}

test('ignored: what cannot change the answer', async () => {
  const ignored = { user: 'u', store: false, metadata: { a: 'b' }, service_tier: 'auto', n: 1, frequency_penalty: 0, logit_bias: null };
  const answer = await client.chat.completions.create({ ...HELLO, ...ignored });
  assert.equal(answer.choices[0].message.content, (await client.chat.completions.create(HELLO)).choices[0].message.content);
});

const BAD_INPUTS = [
  [{ input: [] }, 'input'],
  [{ input: '' }, 'input'],
  [{ input: ['a', ''] }, 'input[1]'],
  [{ input: [1, 2, 3] }, 'input'],
  [{ input: [[1, 2, 3]] }, 'input'],
  [{ input: Array.from({ length: 2_049 }, () => 'a') }, 'input'],
  [{ input: ['a', 'word '.repeat(400)] }, 'input[1]'],
  [{ input: 'a', dimensions: 100 }, 'dimensions'],
  [{ input: 'a', model: CHAT }, 'model'],
];
for (const [fields, param] of BAD_INPUTS) {
  test(`embeddings refuse ${JSON.stringify(fields).slice(0, 60)}`, async () => {
    const error = await client.embeddings.create({ model: EMBEDDING, ...fields }).catch((caught) => caught);
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.equal(error.param, param);
  });
}

test('abort: the stream ends for the client, and the server goes on', async () => {
  const stream = await client.chat.completions.create({
    ...HELLO,
    max_tokens: 1_500,
    stream: true,
    messages: [{ role: 'user', content: 'Tell a long story.' }],
  });
  let seen = 0;
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) seen += 1;
    if (seen === 3) stream.controller.abort();
  }
  assert.equal(seen, 3);
  assert.ok((await client.chat.completions.create(HELLO)).choices[0].message.content.length > 0);
});
