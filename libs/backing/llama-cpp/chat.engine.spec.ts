import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import type { ChatChunk } from '@kernel/models';
import { ChatEngine } from './chat.engine';
import type { ChatModel } from './chat.model';
import type { ModelSlot } from './model.slot';
import { StepWatch } from './step.watch';
import { TurnQueue } from './turn.queue';

const never = new AbortController().signal;
const LATE = { code: 'timeout', status: 504, message: 'The first token took longer than 0.05 s.' };

/** Native work that hangs until the test lets it go; a real model cannot be made to. */
class HangingModel {
  private release?: () => void;
  hangs = true;

  async prompt(): Promise<Token[]> {
    return [1, 2, 3] as Token[];
  }
  async reuse(): Promise<number> {
    if (this.hangs) await new Promise<void>((resolve) => (this.release = resolve));
    return 0;
  }
  async read(): Promise<undefined> {
    return undefined;
  }
  async *generate(): AsyncGenerator<Token, void> {
    yield 7 as Token;
  }
  readonly detokenize = (tokens: Token[]): string => tokens.map(() => 'word').join('');
  async reset(): Promise<void> {}

  letGo(): void {
    this.hangs = false;
    this.release?.();
  }
}

describe('ChatEngine with native work that hangs', () => {
  const model = new HangingModel();
  const turns = new TurnQueue();
  const watch = new StepWatch(turns, 20);
  const entry = { slug: 'small', contextLength: 100 };
  const slot = { entry, get: async () => model as unknown as ChatModel } as unknown as ModelSlot<ChatModel>;
  const engine = new ChatEngine(slot, turns, { firstTokenSeconds: 0.05, idleSeconds: 0.05, queueSeconds: 0.3 }, watch);
  afterAll(() => watch.close());
  const chat = async (): Promise<string> => {
    let text = '';
    const request = { model: 'small', turns: [{ role: 'user' as const, content: 'Hello' }], maxTokens: 1, temperature: 0, signal: never };
    for await (const chunk of engine.chat(request, never)) text += (chunk as Extract<ChatChunk, { type: 'text' }>).text ?? '';
    return text;
  };

  it('gives up in time, refuses at once while it is stuck, and answers when it is free again', async () => {
    const [stuck, behind] = await Promise.allSettled([chat(), chat()]);
    expect(stuck).toMatchObject({ status: 'rejected', reason: LATE });
    // It waited for the answer before it, which holds the model as long as the step goes on.
    expect(behind).toMatchObject({
      status: 'rejected',
      reason: { code: 'timeout', message: 'The wait for small took longer than 0.3 s.' },
    });
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
    model.letGo();
    let answer: string | undefined;
    while (answer === undefined) {
      answer = await chat().catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(answer).toBe('word');
  });
});
