/** What stays the same in all chunks of one streamed answer. */
export interface FrameHead {
  id: string;
  object: 'chat.completion.chunk' | 'text_completion';
  /** Unix seconds. */
  created: number;
  model: string;
  system_fingerprint: string | null;
}

/**
 * The chunks of one streamed answer as lines of an event stream. Everything that does not change is written once, so that a token costs one
 * escaping of its text. With `usage` every chunk carries a null of it, as OpenAI does, until the last.
 */
export class CompletionFrames {
  private readonly head: string;
  private readonly tail: string;

  constructor(head: FrameHead, usage: boolean) {
    this.head = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`;
    this.tail = usage ? '],"usage":null}\n\n' : ']}\n\n';
  }

  /** The frequent one: a piece of the answer's text. */
  text(text: string): string {
    return `${this.head}{"index":0,"delta":{"content":${JSON.stringify(text)}},"logprobs":null,"finish_reason":null}${this.tail}`;
  }

  choice(choice: object): string {
    return `${this.head}${JSON.stringify(choice)}${this.tail}`;
  }

  usage(usage: object): string {
    return `${this.head}],"usage":${JSON.stringify(usage)}}\n\n`;
  }

  static readonly done = 'data: [DONE]\n\n';

  static error(error: object): string {
    return `data: ${JSON.stringify(error)}\n\n`;
  }
}
