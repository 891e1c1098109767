// What every client is told: where the server is and with which keys. The suite that starts it puts these into the environment.
export const BASE_URL = `${process.env.SUTAZAI_URL}/v1`;
export const KEY = process.env.SUTAZAI_KEY;
/** A key with no scope of use here. */
export const POOR_KEY = process.env.SUTAZAI_POOR_KEY;
/** A key that may send one request in a minute. */
export const SLOW_KEY = process.env.SUTAZAI_SLOW_KEY;
export const CHAT = process.env.SUTAZAI_CHAT;
export const EMBEDDING = process.env.SUTAZAI_EMBEDDING;
/** An alias of the chat model. */
export const ALIAS = process.env.SUTAZAI_ALIAS;
/** A document in this collection says at what hour the harbour office opens. */
export const COLLECTION = process.env.SUTAZAI_COLLECTION;

export const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
};

export const WEATHER = {
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};

export function cosine(a, b) {
  return a.reduce((sum, value, index) => sum + value * b[index], 0);
}
