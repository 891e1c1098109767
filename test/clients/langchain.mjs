// LangChain's OpenAI integration, unmodified, against a running server (see settings.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { BASE_URL, CHAT, COLLECTION, EMBEDDING, KEY, PERSON, WEATHER, cosine } from './settings.mjs';

const there = { apiKey: KEY, configuration: { baseURL: BASE_URL }, maxRetries: 0 };
const chat = (fields = {}) => new ChatOpenAI({ ...there, model: CHAT, temperature: 0, maxTokens: 24, ...fields });
const MESSAGES = [new SystemMessage('You are brief.'), new HumanMessage('Say hello.')];

test('ChatOpenAI: invoke', async () => {
  const answer = await chat().invoke(MESSAGES);
  assert.ok(answer.content.length > 0);
  assert.equal(answer.response_metadata.model_name, CHAT);
  assert.ok(answer.usage_metadata.input_tokens > 0 && answer.usage_metadata.output_tokens > 0);
});

test('ChatOpenAI: stream', async () => {
  const whole = await chat().invoke(MESSAGES);
  let text = '';
  let usage;
  for await (const chunk of await chat().stream(MESSAGES)) {
    text += chunk.content;
    usage = chunk.usage_metadata ?? usage;
  }
  assert.equal(text, whole.content);
  assert.equal(usage.output_tokens, whole.usage_metadata.output_tokens);
});

test('ChatOpenAI: withStructuredOutput by a JSON schema', async () => {
  const model = chat({ maxTokens: 64 }).withStructuredOutput(PERSON, { name: 'person', method: 'jsonSchema' });
  const person = await model.invoke('Ada is 36 years old. Who is she?');
  assert.equal(typeof person.name, 'string');
  assert.ok(Number.isInteger(person.age));
});

test('ChatOpenAI: withStructuredOutput by a function', async () => {
  const model = chat({ maxTokens: 64 }).withStructuredOutput(PERSON, { name: 'person', method: 'functionCalling' });
  const person = await model.invoke('Ada is 36 years old. Who is she?');
  assert.equal(typeof person.name, 'string');
  assert.ok(Number.isInteger(person.age));
});

test('ChatOpenAI: a tool call and its result', async () => {
  const tools = [{ type: 'function', function: WEATHER }];
  const question = new HumanMessage('What is the weather in Paris?');
  const called = await chat({ maxTokens: 64 }).bindTools(tools, { tool_choice: WEATHER.name }).invoke([question]);
  const [call] = called.tool_calls;
  assert.equal(call.name, WEATHER.name);
  assert.equal(typeof call.args.city, 'string');
  const result = new ToolMessage({ tool_call_id: call.id, content: '18 degrees and sunny' });
  const answer = await chat().bindTools(tools, { tool_choice: 'none' }).invoke([question, called, result]);
  assert.ok(answer.content.length > 0);
});

test('ChatOpenAI: collections through modelKwargs', async () => {
  const answer = await chat({ maxTokens: 64, modelKwargs: { collections: [COLLECTION] } }).invoke('When does the harbour office open?');
  assert.match(answer.content, /six|6/i);
});

test('OpenAI: plain completion', async () => {
  const model = new OpenAI({ ...there, model: CHAT, temperature: 0, maxTokens: 6 });
  assert.match(await model.invoke('The capital of France is'), /Paris/);
});

test('OpenAIEmbeddings: a query and documents', async () => {
  const embeddings = new OpenAIEmbeddings({ ...there, model: EMBEDDING });
  const query = await embeddings.embedQuery('a boat in the harbour');
  const [near, far] = await embeddings.embedDocuments(['a ship at the quay', 'the theory of numbers']);
  assert.equal(query.length, 384);
  assert.ok(cosine(query, near) > cosine(query, far) + 0.2);
});

test('a model that is not there', async () => {
  const error = await chat({ model: 'gpt-unheard-of' })
    .invoke(MESSAGES)
    .catch((caught) => caught);
  assert.equal(error.status, 404);
  assert.equal(error.code, 'model_not_found');
});
