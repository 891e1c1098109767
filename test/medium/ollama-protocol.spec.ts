import type { ServerResponse } from 'node:http';
import type { ChatChunk, ChatRequest } from '@kernel/models';
import { openOllama, type OllamaRig } from '../support/ollama';
import { OllamaDouble } from '../support/ollama-double';

const never = new AbortController().signal;
const say = (content: string, done = false): object => ({ message: { role: 'assistant', content }, done });
const DONE = { message: { content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 20, eval_count: 2 };

/** What a real server does not do on demand; a protocol double speaks here. */
describe('the Ollama runtime and a server that misbehaves', () => {
  let double: OllamaDouble;
  let rig: OllamaRig;
  beforeEach(async () => {
    double = await OllamaDouble.start();
    double.models = ['odd:1b'];
    rig = openOllama(double.url, { coldSeconds: 0.2, firstTokenSeconds: 0.2, idleSeconds: 0.2 });
  });
  afterEach(async () => {
    await rig.client.onApplicationShutdown();
    await double.close();
  });
  const chat = async (given: Partial<ChatRequest> = {}): Promise<ChatChunk[]> => {
    const chunks: ChatChunk[] = [];
    const turns = [{ role: 'user' as const, content: 'Hello there' }];
    for await (const chunk of rig.runtime.chat({ model: 'odd:1b', turns, maxTokens: 10, temperature: 0, signal: never, ...given }))
      chunks.push(chunk);
    return chunks;
  };

  it('names the context on every call, the same each time, and asks for nothing to be cut', async () => {
    double.lines('chat', [say('a'), DONE]);
    await chat();
    await chat({ maxTokens: 20 });
    const bodies = double.to('chat').map(({ body }) => body);
    expect(bodies.map(({ options }) => (options as { num_ctx: number }).num_ctx)).toEqual([4_096, 4_096]);
    expect(bodies[0]).toMatchObject({ stream: true, truncate: false, shift: false, think: false, options: { num_predict: 10 } });
  });

  it.each(['end', 'break'] as const)('a stream that ends (%s) without done is a failure that may be tried again', async (end) => {
    double.lines('chat', [say('a'), say('b')], end);
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryable: true, message: expect.stringContaining('broke off') });
  });

  it.each([[3], [undefined]])('an evaluated prompt of %s tokens, shorter than the one sent, is a failure', async (evaluated) => {
    double.lines('chat', [say('a'), { ...DONE, prompt_eval_count: evaluated }]);
    const content = 'word '.repeat(300);
    await expect(chat({ turns: [{ role: 'user', content }] })).rejects.toMatchObject({ code: 'unavailable', retryable: false });
  });

  it('an error in the middle of a stream ends it', async () => {
    double.lines('chat', [say('a'), { error: 'an error was encountered while running the model' }]);
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', message: 'Ollama failed while it worked with odd:1b.' });
  });

  it.each(['[]', 'nonsense', '{"message":'])('a line of %s ends it', async (line) => {
    double.answers.set('chat', (_, response) => response.end(`${JSON.stringify(say('a'))}\n${line}\n`));
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable' });
  });

  describe('has a time for each wait, and a word for each', () => {
    const late = (what: string) => ({ code: 'timeout', status: 504, retryable: true, message: `${what} took longer than 0.2 s.` });
    const vector = { model: 'odd:1b', texts: ['one'], input: 'query' as const, signal: never };
    const stall = (): void => undefined;
    const embeds = (): void =>
      void double.answers.set('show', (_, response) => {
        const info = { 'general.architecture': 'bert', 'bert.context_length': 512, 'bert.embedding_length': 2, 'bert.pooling_type': 1 };
        response.end(JSON.stringify({ capabilities: ['embedding'], model_info: info }));
      });

    it('loading the weights', async () => {
      double.answers.set('load', stall);
      await expect(chat()).rejects.toMatchObject(late('Loading the model odd:1b'));
      await expect(rig.runtime.load('odd:1b', never)).rejects.toMatchObject(late('Loading the model odd:1b'));
      expect(double.to('chat')).toEqual([]);
    });

    it('the first token, after the weights are there', async () => {
      double.answers.set('chat', stall);
      await expect(chat()).rejects.toMatchObject(late('The first token'));
      expect(double.to('load').map(({ body }) => body)).toEqual([{ model: 'odd:1b', stream: false, options: { num_ctx: 4_096 } }]);
      double.lines('chat', [], 'stall');
      await expect(chat()).rejects.toMatchObject(late('The first token'));
    });

    it('the next token, but not the time of a slow reader', async () => {
      double.lines('chat', [say('a')], 'stall');
      await expect(chat()).rejects.toMatchObject(late('The next token'));
      let finish = (): void => undefined;
      double.answers.set('chat', (_, response) => {
        response.write(`${JSON.stringify(say('a'))}\n`);
        finish = () => void response.end(`${JSON.stringify(DONE)}\n`);
      });
      const turns = [{ role: 'user' as const, content: 'Hello' }];
      const chunks = rig.runtime.chat({ model: 'odd:1b', turns, maxTokens: 10, temperature: 0, signal: never })[Symbol.asyncIterator]();
      expect((await chunks.next()).value).toMatchObject({ text: 'a' });
      await new Promise((resolve) => setTimeout(resolve, 400));
      finish();
      expect((await chunks.next()).value).toMatchObject({ type: 'end' });
    });

    it('vectors, and their weights', async () => {
      embeds();
      double.answers.set('embed', stall);
      await expect(rig.runtime.embed(vector)).rejects.toMatchObject(late("Ollama's answer to embed"));
      rig.runtime.refresh();
      double.answers.set('load', stall);
      await expect(rig.runtime.embed(vector)).rejects.toMatchObject(late('Loading the model odd:1b'));
    });

    it('what is in memory is not loaded first', async () => {
      double.answers.set('ps', (_, response) => response.end('{"models":[{"name":"odd:1b"}]}'));
      double.lines('chat', [say('a'), DONE]);
      await chat();
      expect(double.to('load')).toEqual([]);
    });
  });

  it('a server that keeps failing is left alone for a while, and asked again by one call', async () => {
    double.lines('chat', [{ error: 'llama runner process has terminated' }]);
    for (let time = 0; time < 3; time++) await expect(chat()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryable: true, retryAfterSeconds: 1 });
    expect(double.to('chat')).toHaveLength(3);
    double.lines('chat', [say('a'), DONE]);
    await expect(chat()).rejects.toMatchObject({ message: 'Ollama keeps failing at odd:1b: it is tried again in a moment.' });
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const [tried, other] = await Promise.allSettled([chat(), chat()]);
    expect([tried.status, other.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(double.to('chat')).toHaveLength(4);
    await chat();
  });

  it('a busy server may be asked again', async () => {
    double.answers.set('chat', (_, response) =>
      response.writeHead(503).end('{"error":"server busy, please try again.  maximum pending requests exceeded"}'),
    );
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryable: true, retryAfterSeconds: 2 });
  });

  it('passes on thoughts and calls of tools', async () => {
    const called = { message: { content: '', tool_calls: [{ function: { name: 'now', arguments: { zone: 'UTC' } } }] }, done: false };
    double.lines('chat', [{ message: { content: '', thinking: 'hm' }, done: false }, called, DONE]);
    const tools = [{ name: 'now', parameters: { type: 'object' } }];
    const [thought, call, end] = await chat({ think: true, tools });
    expect(thought).toEqual({ type: 'reasoning', text: 'hm' });
    expect(call).toMatchObject({
      type: 'tool_call',
      call: { id: expect.stringMatching(/^call_/), name: 'now', arguments: '{"zone":"UTC"}' },
    });
    expect(end).toMatchObject({ type: 'end', finishReason: 'tool_calls', inputTokens: 20, outputTokens: 2 });
    expect(double.to('chat')[0]?.body).toMatchObject({ think: true, tools: [{ type: 'function', function: { name: 'now' } }] });
  });

  it('a call that was demanded and not made is a failure', async () => {
    double.lines('chat', [say('no'), DONE]);
    const tools = [{ name: 'now', parameters: { type: 'object' } }];
    await expect(chat({ tools, toolChoice: 'required' })).rejects.toMatchObject({ code: 'unprocessable' });
  });

  it('while it cannot be reached its models are unknown and calls fail', async () => {
    await rig.runtime.models();
    await double.close();
    rig.runtime.refresh();
    expect(await rig.runtime.models()).toMatchObject([{ id: 'odd:1b', state: 'unknown', loaded: false }]);
    await expect(chat()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('ending the iteration early closes the connection', async () => {
    let closed: Promise<void> | undefined;
    double.answers.set('chat', (_, response) => {
      closed = new Promise((resolve) => response.once('close', resolve));
      response.write(`${JSON.stringify(say('a'))}\n`);
    });
    const turns = [{ role: 'user' as const, content: 'Hello' }];
    for await (const chunk of rig.runtime.chat({ model: 'odd:1b', turns, maxTokens: 10, temperature: 0, signal: never })) {
      expect(chunk.type).toBe('text');
      break;
    }
    await closed;
  });

  describe('a cancel is heard', () => {
    const silent = async (path: string, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
      const abort = new AbortController();
      const asked = new Promise<ServerResponse>((resolve) => double.answers.set(path, (_, response) => resolve(response)));
      const running = work(abort.signal).catch((error: unknown) => error);
      const response = await asked;
      abort.abort(new Error('enough'));
      expect(await running).toMatchObject({ code: 'cancelled' });
      // The runtime has not given up by itself, as it does after a time.
      expect(response.destroyed).toBe(false);
    };
    const turns = [{ role: 'user' as const, content: 'Hello' }];
    const ask = (signal: AbortSignal) => chat({ signal });

    it('while the server lists its models', () => {
      rig.runtime.refresh();
      return silent('tags', ask);
    });
    it('while the server describes how the model reads', async () => {
      await rig.runtime.models();
      await silent('show', ask);
    });
    it('before the first token, and the connection is closed', async () => {
      const closed = Promise.withResolvers<void>();
      const abort = new AbortController();
      double.answers.set('chat', (_, response) => {
        response.once('close', () => closed.resolve());
        abort.abort();
      });
      await expect(ask(abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
      await closed.promise;
    });
    it.each(['countTokens', 'countPromptTokens'] as const)('by %s', async (name) => {
      await rig.runtime.models();
      await silent('show', (signal) =>
        name === 'countTokens' ? rig.runtime.countTokens('odd:1b', ['a'], signal) : rig.runtime.countPromptTokens('odd:1b', turns, signal),
      );
    });
  });
});
