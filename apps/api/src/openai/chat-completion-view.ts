import { randomUUID } from 'node:crypto';
import type { Citation } from '@features/chat';
import { AppError } from '@kernel/errors';
import type { ModelCard, ToolCall } from '@kernel/models';
import type { AnswerPart } from './answer-part';
import type { Annotation, ChatCompletion } from './chat-completions.schema';
import { CompletionFrames, type FrameHead } from './completion-frames';
import { usageOf } from './sampling.schema';

type End = Extract<AnswerPart, { type: 'end' }>;

/** One chat completion on its way into OpenAI's form, whole or in chunks. `documents` is the address under which citations name documents. */
export class ChatCompletionView {
  private readonly id = `chatcmpl-${randomUUID().replaceAll('-', '')}`;
  private readonly created = Math.floor(Date.now() / 1000);
  private calls = 0;
  private annotations: Annotation[] | undefined;

  constructor(
    private readonly card: ModelCard,
    private readonly documents: string,
  ) {}

  /** Reads all parts. */
  async whole(parts: AsyncIterable<AnswerPart>): Promise<ChatCompletion> {
    let [content, reasoning] = ['', ''];
    const calls: ToolCall[] = [];
    for await (const part of parts) {
      if (part.type === 'text') content += part.text;
      else if (part.type === 'reasoning') reasoning += part.text;
      else if (part.type === 'tool_call') calls.push(part.call);
      else if (part.type === 'citations') this.annotations = part.citations.map((citation) => this.annotation(citation));
      else return this.completion(content, reasoning, calls, part);
    }
    throw new AppError('unavailable', 'The model ended without an end.');
  }

  /** The frames of a part; the first of all carries the role, the last ones the reason of the end and, if asked for, the usage. */
  chunks(includeUsage: boolean): (part: AnswerPart, first: boolean) => string {
    const frames = new CompletionFrames(this.head(), includeUsage);
    const delta = (value: object, finishReason: string | null = null): string =>
      frames.choice({ index: 0, delta: value, logprobs: null, finish_reason: finishReason });
    return (part, first) => {
      const role = first ? delta({ role: 'assistant', content: '', refusal: null }) : '';
      if (part.type === 'text') return role + frames.text(part.text);
      if (part.type === 'reasoning') return role + delta({ reasoning_content: part.text });
      if (part.type === 'tool_call') return role + delta({ tool_calls: [{ index: this.calls++, ...callView(part.call) }] });
      if (part.type === 'citations') {
        this.annotations = part.citations.map((citation) => this.annotation(citation));
        return role;
      }
      const last = delta(this.annotations === undefined ? {} : { annotations: this.annotations }, part.finishReason);
      return role + last + (includeUsage ? frames.usage(usageOf(part)) : '');
    };
  }

  private completion(content: string, reasoning: string, calls: ToolCall[], end: End): ChatCompletion {
    const message = {
      role: 'assistant' as const,
      content: content === '' && calls.length > 0 ? null : content,
      refusal: null,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(callView) }),
      ...(this.annotations === undefined ? {} : { annotations: this.annotations }),
    };
    return {
      ...this.head(),
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: end.finishReason }],
      usage: usageOf(end),
    };
  }

  private head(): FrameHead {
    const { id, created, card } = this;
    return { id, object: 'chat.completion.chunk', created, model: card.id, system_fingerprint: fingerprintOf(card) };
  }

  private annotation(citation: Citation): Annotation {
    const [span] = citation.supports;
    return {
      type: 'url_citation',
      url_citation: {
        url: `${this.documents}/${citation.document_id}`,
        title: citation.document,
        start_index: span?.start ?? 0,
        end_index: span?.end ?? 0,
      },
      citation: { ...citation },
    };
  }
}

/** Says which weights answered; null when nobody recorded their digest. */
export function fingerprintOf({ digest }: ModelCard): string | null {
  return digest === null ? null : `fp_${digest.slice(-10)}`;
}

function callView({ id, name, arguments: text }: ToolCall) {
  return { id, type: 'function' as const, function: { name, arguments: text } };
}
