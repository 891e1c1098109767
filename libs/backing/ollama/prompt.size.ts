import { AppError } from '@kernel/errors';
import type { ChatRequest, ChatTurn } from '@kernel/models';
import { toolsOf } from './chat.messages';
import type { OllamaModel } from './ollama.model';
import type { TokenCounter } from './tokens/token.counter';

/** What a template writes around one turn, at most, in the families of Ollama's library. */
const PER_TURN = 12;
/** What it writes once: the first token, the beginning of the answer. */
const ONCE = 16;

export interface PromptSize {
  atMost: number;
  atLeast: number;
}

/** Bounds of the tokens of a whole prompt: the turns, what a template writes around them, its own texts and the tools. */
export function chatSize(counter: TokenCounter, model: OllamaModel, turns: ChatTurn[], request?: ChatRequest): PromptSize {
  const tools = request === undefined ? [] : toolsOf(request);
  let atMost = ONCE;
  let atLeast = 0;
  for (const turn of turns) {
    const calls = turn.toolCalls?.length ? JSON.stringify(turn.toolCalls) : '';
    atMost += PER_TURN + counter.atMost(turn.content) + counter.atMost(calls);
    atLeast += counter.atLeast(turn.content);
  }
  // A template may hold a system text for conversations without one, and instructions for the use of tools.
  if (!turns.some(({ role }) => role === 'system')) atMost += counter.atMost(model.system) + counter.atMost(literals(model.template));
  if (tools.length > 0) atMost += counter.atMost(JSON.stringify(tools)) * 2 + counter.atMost(literals(model.template));
  return { atMost, atLeast };
}

export function textSize(counter: TokenCounter, text: string): PromptSize {
  return { atMost: counter.atMost(text) + 1, atLeast: counter.atLeast(text) };
}

/** Errors: `context_length_exceeded` when prompt and answer might not fit, since Ollama would cut the prompt silently. */
export function assertFits(model: OllamaModel, size: PromptSize, maxTokens: number): void {
  if (size.atMost + maxTokens <= model.contextLength) return;
  const parts = `The prompt of about ${size.atMost} tokens and an answer of up to ${maxTokens}`;
  throw new AppError('context_length_exceeded', `${parts} do not fit into the ${model.contextLength} tokens of ${model.card.id}.`);
}

/** Errors: `unavailable` when the server read less than it was sent. */
export function assertEvaluated(model: OllamaModel, size: PromptSize, evaluated: number | undefined): void {
  if (evaluated !== undefined && evaluated >= size.atLeast) return;
  const read =
    evaluated === undefined
      ? 'does not say how much of the prompt it read'
      : `read ${evaluated} tokens of a prompt of at least ${size.atLeast}`;
  throw new AppError('unavailable', `The answer of ${model.card.id} is void: Ollama ${read}.`, { retryable: false });
}

/** The text of a Go template without its actions. */
function literals(template: string): string {
  return template.replace(/\{\{.*?\}\}/gs, '');
}
