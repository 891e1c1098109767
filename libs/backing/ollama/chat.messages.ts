import type { AnswerFormat, ChatRequest, ChatTurn, SamplingRequest, ToolDefinition } from '@kernel/models';
import type { OllamaModel } from './ollama.model';

/** Tokens of the answer over which repetition is punished, as in the built-in runtime. */
const REPEAT_WINDOW = 64;

/** The body of `/api/chat`. */
export function chatBody(model: OllamaModel, request: ChatRequest): Record<string, unknown> {
  const tools = toolsOf(request);
  const format = formatOf(request.format);
  return {
    model: model.name,
    messages: request.turns.map(messageOf),
    stream: true,
    ...(tools.length > 0 ? { tools: tools.map((definition) => ({ type: 'function', function: definition })) } : {}),
    ...(format === undefined ? {} : { format }),
    // A model that cannot think refuses the word, and one that can does it unless told not to.
    ...(model.thinks ? { think: request.think === true } : {}),
    ...WHOLE,
    options: optionsOf(model, request),
  };
}

/** The body of `/api/generate` for a text without a template. */
export function completionBody(model: OllamaModel, request: SamplingRequest & { prompt: string }): Record<string, unknown> {
  return { model: model.name, prompt: request.prompt, raw: true, stream: true, ...WHOLE, options: optionsOf(model, request) };
}

/** The tools that the model may ask for: one alone when it is demanded by name. */
export function toolsOf({ tools = [], toolChoice = 'auto' }: ChatRequest): ToolDefinition[] {
  if (toolChoice === 'none') return [];
  return typeof toolChoice === 'string' ? tools : tools.filter(({ name }) => name === toolChoice.name);
}

/** Newer servers then refuse what does not fit instead of cutting it; older ones do not know the words. */
const WHOLE = { truncate: false, shift: false };

function optionsOf(model: OllamaModel, request: SamplingRequest): Record<string, unknown> {
  const penalty = model.known?.repeatPenalty;
  return {
    num_ctx: model.contextLength,
    num_predict: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    stop: request.stop === undefined ? undefined : [...new Set([...request.stop, ...model.stops])],
    ...(penalty === undefined ? {} : { repeat_penalty: penalty, repeat_last_n: REPEAT_WINDOW }),
  };
}

function formatOf(format: AnswerFormat | undefined): unknown {
  if (format === undefined || format.type === 'text') return undefined;
  return format.type === 'json' ? 'json' : format.schema;
}

function messageOf(turn: ChatTurn): Record<string, unknown> {
  const message = { role: turn.role, content: turn.content };
  if (turn.role === 'tool') return { ...message, tool_call_id: turn.toolCallId };
  if (turn.toolCalls === undefined || turn.toolCalls.length === 0) return message;
  return {
    ...message,
    tool_calls: turn.toolCalls.map(({ id, name, arguments: text }) => ({ id, function: { name, arguments: parsed(text) } })),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
