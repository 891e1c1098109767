// The AI SDK with its OpenAI providers, unmodified, against a running server (see settings.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embed, embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { BASE_URL, CHAT, COLLECTION, EMBEDDING, KEY, PERSON, WEATHER, cosine } from './settings.mjs';

const openai = createOpenAI({ baseURL: BASE_URL, apiKey: KEY });
const compatible = createOpenAICompatible({
  name: 'sutazai',
  baseURL: BASE_URL,
  apiKey: KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const PROVIDERS = [
  ['@ai-sdk/openai', openai.chat(CHAT), openai.embedding(EMBEDDING)],
  ['@ai-sdk/openai-compatible', compatible.chatModel(CHAT), compatible.embeddingModel(EMBEDDING)],
];
const BRIEF = { prompt: 'Say hello.', temperature: 0, maxOutputTokens: 24, maxRetries: 0 };

for (const [name, model, embedding] of PROVIDERS) {
  test(`${name}: generateText`, async () => {
    const { text, usage, finishReason } = await generateText({ ...BRIEF, model });
    assert.ok(text.length > 0);
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    assert.ok(['stop', 'length'].includes(finishReason));
  });

  test(`${name}: streamText`, async () => {
    const whole = await generateText({ ...BRIEF, model });
    const result = streamText({ ...BRIEF, model });
    let text = '';
    for await (const part of result.textStream) text += part;
    assert.equal(text, whole.text);
    assert.equal((await result.usage).outputTokens, whole.usage.outputTokens);
  });

  test(`${name}: generateObject`, async () => {
    const { object } = await generateObject({
      ...BRIEF,
      model,
      maxOutputTokens: 64,
      prompt: 'Ada is 36 years old. Who is she?',
      schema: jsonSchema(PERSON),
    });
    assert.equal(typeof object.name, 'string');
    assert.ok(Number.isInteger(object.age));
  });

  test(`${name}: a tool that is run`, async () => {
    const asked = [];
    const weather = tool({
      description: WEATHER.description,
      inputSchema: jsonSchema(WEATHER.parameters),
      execute: async ({ city }) => {
        asked.push(city);
        return '18 degrees and sunny';
      },
    });
    const { steps } = await generateText({
      ...BRIEF,
      model,
      maxOutputTokens: 64,
      prompt: 'What is the weather in Paris?',
      tools: { [WEATHER.name]: weather },
      stopWhen: stepCountIs(2),
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? { type: 'tool', toolName: WEATHER.name } : 'none' }),
    });
    assert.deepEqual(
      asked.map((city) => typeof city),
      ['string'],
    );
    assert.equal(steps.length, 2);
    assert.equal(steps[0].finishReason, 'tool-calls');
    assert.ok(steps[1].text.length > 0);
  });

  test(`${name}: embed and embedMany`, async () => {
    const { embedding: query, usage } = await embed({ model: embedding, value: 'a boat in the harbour', maxRetries: 0 });
    const { embeddings } = await embedMany({ model: embedding, values: ['a ship at the quay', 'the theory of numbers'], maxRetries: 0 });
    assert.equal(query.length, 384);
    assert.ok(usage.tokens > 0);
    assert.ok(cosine(query, embeddings[0]) > cosine(query, embeddings[1]) + 0.2);
  });

  test(`${name}: a model that is not there`, async () => {
    const missing = name === '@ai-sdk/openai' ? openai.chat('gpt-unheard-of') : compatible.chatModel('gpt-unheard-of');
    const error = await generateText({ ...BRIEF, model: missing }).catch((caught) => caught);
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /gpt-unheard-of/);
  });
}

test('collections, through the provider options of @ai-sdk/openai-compatible', async () => {
  const { text } = await generateText({
    ...BRIEF,
    model: compatible.chatModel(CHAT),
    maxOutputTokens: 64,
    prompt: 'When does the harbour office open?',
    providerOptions: { sutazai: { collections: [COLLECTION] } },
  });
  assert.match(text, /six|6/i);
});
