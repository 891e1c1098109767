import { AppError } from '@kernel/errors';
import { normaliseWordPiece, type EmbedAnswer, type EmbedRequest } from '@kernel/models';
import { Breather } from './breather';
import type { Reading } from './model.shelf';
import type { OllamaModel } from './ollama.model';
import { assertEvaluated } from './prompt.size';

/** One request: short enough that a question waits no more than a moment behind a document. */
const BATCH_TEXTS = 8;

export interface EmbedLine {
  embeddings?: number[][];
  prompt_eval_count?: number;
  total_duration?: number;
}

interface Input {
  text: string;
  tokens: number;
}

/** Has one batch made into vectors, on whichever server has the model; the answer tells by which of them. */
export type EmbedBatch = (texts: string[]) => Promise<{ model: OllamaModel; said: EmbedLine }>;

/** The vectors of all texts, in batches. Errors: `context_length_exceeded` naming the text; `unavailable` for an answer that is no vector for each text. */
export async function embedAll(send: EmbedBatch, first: OllamaModel, reading: Reading, request: EmbedRequest): Promise<EmbedAnswer> {
  const inputs = await inputsOf(first, reading, request);
  const answer: EmbedAnswer = { vectors: [], inputTokens: 0, seconds: 0 };
  for (let start = 0; start < inputs.length; start += BATCH_TEXTS) {
    const batch = inputs.slice(start, start + BATCH_TEXTS);
    const { model, said } = await send(batch.map(({ text }) => text));
    const atMost = batch.reduce((sum, { tokens }) => sum + tokens, 0);
    const atLeast = batch.reduce((sum, { text }) => sum + reading.counter.atLeast(text), 0);
    assertEvaluated(model, { atMost, atLeast }, said.prompt_eval_count ?? (atLeast === 0 ? 0 : undefined));
    answer.vectors.push(...vectorsOf(model, said.embeddings, batch.length));
    answer.inputTokens += said.prompt_eval_count ?? 0;
    answer.seconds += (said.total_duration ?? 0) / 1e9;
    request.onTokens?.(answer.inputTokens);
  }
  return answer;
}

async function inputsOf(model: OllamaModel, { counter, uncased }: Reading, request: EmbedRequest): Promise<Input[]> {
  const { queryPrefix = '', documentPrefix = '', maxInputTokens = model.contextLength } = model.card.embedding ?? {};
  const prefix = request.input === 'query' ? queryPrefix : documentPrefix;
  const breather = new Breather();
  const inputs: Input[] = [];
  for (const [index, given] of request.texts.entries()) {
    const text = uncased ? normaliseWordPiece(prefix + given) : prefix + given;
    const tokens = await breather.sum(text, (part) => counter.atMost(part), request.signal);
    if (tokens > maxInputTokens) throw tooLong(index, tokens, maxInputTokens);
    inputs.push({ text, tokens });
  }
  return inputs;
}

/** Of unit length, as the port promises; older servers and some models answer others. */
function vectorsOf(model: OllamaModel, rows: number[][] | undefined, count: number): Float32Array[] {
  const { dimensions } = model.card.embedding ?? {};
  const wrong = rows?.length !== count || rows.some((row) => row.length !== dimensions || !row.every(Number.isFinite));
  if (rows === undefined || wrong) throw new AppError('unavailable', `Ollama answered no vector of ${dimensions} numbers for each text.`);
  return rows.map((row) => {
    const norm = Math.hypot(...row);
    if (norm === 0) throw new AppError('unavailable', `The model ${model.card.id} gave a vector of length zero.`, { retryable: false });
    return Float32Array.from(row, (value) => value / norm);
  });
}

function tooLong(index: number, tokens: number, limit: number): AppError {
  const message = `${tokens} tokens, the model reads at most ${limit}`;
  return new AppError('context_length_exceeded', `texts[${index}]: ${message}.`, { errors: [{ path: `texts[${index}]`, message }] });
}
