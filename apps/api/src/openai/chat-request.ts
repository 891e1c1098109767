import { AppError } from '@kernel/errors';
import type { AnswerFormat, ChatTurn, ModelCard, ToolChoice, ToolDefinition } from '@kernel/models';
import type { ChatCompletionBody, ChatCompletionMessage } from './chat-completions.schema';

/** A chat completion in the words of the platform, as far as it does not depend on the prompt's length. */
export interface AskedCompletion {
  turns: ChatTurn[];
  /** Unset: what the context has left. */
  maxTokens?: number;
  format?: AnswerFormat;
  tools?: ToolDefinition[];
  toolChoice?: ToolChoice;
  think: boolean;
  /** False: the answer ends with its first call. */
  manyCalls: boolean;
}

/** Checks what no schema can and translates; every fault is `invalid`, naming the parameter. */
export function askedCompletion(body: ChatCompletionBody, card: ModelCard): AskedCompletion {
  const tools = toolsOf(body);
  return {
    turns: turnsOf(body.messages),
    maxTokens: maxTokensOf(body),
    format: formatOf(body, card),
    tools,
    toolChoice: toolChoiceOf(body, tools),
    think: thinkOf(body, card),
    manyCalls: body.parallel_tool_calls !== false,
  };
}

function turnsOf(messages: ChatCompletionMessage[]): ChatTurn[] {
  const calls = new Set<string>();
  const turns = messages.map((message, index) => {
    if (message.role === 'tool' && !calls.has(message.tool_call_id)) {
      throw invalid(`messages[${index}].tool_call_id`, 'names no call of an assistant message before it');
    }
    const turn = turnOf(message);
    for (const { id } of turn.toolCalls ?? []) calls.add(id);
    return turn;
  });
  const last = turns.at(-1);
  if (last?.role === 'assistant') throw invalid('messages', 'the last message must not be from the assistant: there is nothing to answer');
  return turns;
}

function turnOf(message: ChatCompletionMessage): ChatTurn {
  const content = textOf(message.content);
  if (message.role === 'tool') return { role: 'tool', content, toolCallId: message.tool_call_id };
  if (message.role !== 'assistant') return { role: message.role === 'developer' ? 'system' : message.role, content };
  const toolCalls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: text } }) => ({ id, name, arguments: text }));
  return { role: 'assistant', content, ...(toolCalls.length === 0 ? {} : { toolCalls }) };
}

function textOf(content: ChatCompletionMessage['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text }) => text).join('');
}

function maxTokensOf({ max_tokens: older, max_completion_tokens: newer }: ChatCompletionBody): number | undefined {
  if (typeof older === 'number' && typeof newer === 'number' && older !== newer) {
    throw invalid('max_tokens', 'says something else than max_completion_tokens');
  }
  return newer ?? older ?? undefined;
}

function formatOf({ response_format: format, tools }: ChatCompletionBody, card: ModelCard): AnswerFormat | undefined {
  if (!format || format.type === 'text') return undefined;
  if (!card.capabilities.includes('json_schema')) throw invalid('response_format', `the model ${card.id} cannot be held to JSON`);
  if ((tools ?? []).length > 0) throw invalid('response_format', 'cannot be used together with tools');
  return format.type === 'json_object' ? { type: 'json' } : { type: 'json_schema', schema: format.json_schema.schema };
}

function toolsOf({ tools }: ChatCompletionBody): ToolDefinition[] | undefined {
  if (!tools || tools.length === 0) return undefined;
  const names = new Set<string>();
  return tools.map(({ function: { name, description, parameters } }, index) => {
    if (names.has(name)) throw invalid(`tools[${index}].function.name`, 'is used twice');
    names.add(name);
    return {
      name,
      ...(description ? { description } : {}),
      parameters: parameters ?? { type: 'object', properties: {} },
    };
  });
}

function toolChoiceOf({ tool_choice: choice }: ChatCompletionBody, tools: ToolDefinition[] | undefined): ToolChoice | undefined {
  if (!choice) return undefined;
  if (tools === undefined) {
    if (choice === 'none' || choice === 'auto') return undefined;
    throw invalid('tool_choice', 'there are no tools to choose from');
  }
  if (typeof choice === 'string') return choice;
  const { name } = choice.function;
  if (!tools.some((tool) => tool.name === name)) throw invalid('tool_choice', `${name} is not among the tools`);
  return { name };
}

function thinkOf({ reasoning_effort: effort }: ChatCompletionBody, card: ModelCard): boolean {
  if (!effort || effort === 'none' || effort === 'minimal') return false;
  if (!card.capabilities.includes('thinking')) throw invalid('reasoning_effort', `the model ${card.id} does not think before it answers`);
  return true;
}

function invalid(path: string, message: string): AppError {
  return AppError.field('invalid', path, `${message}.`);
}
