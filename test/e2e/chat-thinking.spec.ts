import { startApi, type TestApi } from '../support/api';
import { ChatBench, type Message } from '../support/chat';
import { parseEvents, type StreamedEvent } from '../support/events';
import { gate, untilAborted } from '../support/jobs';
import { describeModels } from '../support/models';
import { PlannedRuntime } from '../support/planned.runtime';

const THOUGHT = 'The ferry, hm. The night ferry leaves at 22:40 from pier 7, I think.';
const ANSWER = 'It leaves from pier 7.';
const FERRY = 'The night ferry leaves at 22:40 from pier 7.';

/** The text in pieces of so many characters. */
const cut = (text: string, size: number) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, place) => ({ say: text.slice(place * size, (place + 1) * size) }));
const said = (events: StreamedEvent[], name: string): string =>
  events.flatMap(({ event, data }) => (event === name ? [String(data.text)] : [])).join('');

describeModels('what a model thinks', () => {
  let api: TestApi;
  let token: string;
  let model: PlannedRuntime;
  let starter: PlannedRuntime;

  beforeAll(async () => {
    api = await startApi({ database: 'embedded' });
    const capabilities = ['chat', 'thinking'];
    model = new PlannedRuntime('thinker', false, { capabilities }).serve(api.app);
    starter = new PlannedRuntime('small-thinker', false, { capabilities, grade: 'starter' }).serve(api.app);
    token = (await api.register()).accessToken;
    const { json } = await api.post('/api/v1/documents', { name: 'ferry.txt', text: FERRY }, token);
    const { id } = json.job as unknown as { id: string };
    await parseEvents(await api.fetch(`/api/v1/jobs/${id}/events`, { token }));
  });
  afterAll(() => api?.close());
  beforeEach(() => {
    model.requests.length = 0;
  });

  const begin = (body: object = {}): Promise<ChatBench> => ChatBench.begin(api, token, { model: 'thinker', ...body });

  describe.each([
    ['in tags', `<think>\n${THOUGHT}\n</think>\n\n${ANSWER}`],
    ['without the opening tag', `${THOUGHT}\n</think>\n\n${ANSWER}`],
  ])('%s', (_, written) => {
    it.each([1, 3, 7, 1_000])('is told, stored and kept apart from the answer (pieces of %i)', async (size) => {
      model.plan = () => cut(written, size);
      const chat = await begin({ options: { think: true } });
      const events = await chat.stream('From which pier?');
      const done = events.at(-1) as { event: string; data: unknown };
      expect(done.event).toBe('done');
      expect(said(events, 'reasoning')).toBe(THOUGHT);
      expect(said(events, 'delta')).toBe(ANSWER);
      const names = events.map(({ event }) => event);
      expect(names.lastIndexOf('reasoning')).toBeLessThan(names.indexOf('delta'));
      const [, stored] = await chat.list();
      expect(stored).toMatchObject({ content: ANSWER, reasoning: THOUGHT });
      expect(done.data).toEqual(stored);
      expect(model.requests.at(-1)?.think).toBe(true);
    });

    it('is no part of what comes later', async () => {
      model.plan = () => cut(written, 5);
      const chat = await begin({ options: { think: true } });
      await chat.ask('From which pier?');
      await chat.ask('And when?');
      expect(JSON.stringify(model.requests.at(-1)?.turns)).not.toContain('hm');
      expect(model.requests.at(-1)?.turns.map(({ content }) => content)).toEqual(expect.arrayContaining([ANSWER, 'And when?']));
      expect((await chat.read()).title).toBe('From which pier?');
    });

    it('is no part of a grounded answer and its citations', async () => {
      model.plan = starter.plan = () => cut(written, 5);
      for (const id of ['thinker', 'small-thinker']) {
        const chat = await begin({ model: id, collections: ['default'], options: { think: true } });
        const events = await chat.stream('From which pier does the night ferry leave?');
        const message = events.at(-1)?.data as unknown as Message & { citations: { supports: { start: number; end: number }[] }[] };
        expect([id, message.reasoning]).toEqual([id, THOUGHT]);
        expect(message.content).not.toContain('hm');
        expect(message.content).not.toContain('think');
        expect(said(events, 'delta')).toBe(message.content);
        expect(said(events, 'reasoning')).toBe(THOUGHT);
        const supported = message.citations.flatMap(({ supports }) =>
          supports.map(({ start, end }) => message.content.slice(start, end).replace(/ \[\d\]/u, '')),
        );
        expect(supported).toContain(ANSWER);
        expect(JSON.stringify(message.citations)).not.toContain('hm');
      }
    });
  });

  it('is not asked for unless it is wanted, and kept apart all the same', async () => {
    model.plan = () => cut(`<think>${THOUGHT}</think>${ANSWER}`, 4);
    const chat = await begin();
    const { answer } = await chat.ask('From which pier?');
    expect(model.requests.at(-1)?.think).toBe(false);
    expect(answer).toMatchObject({ content: ANSWER, reasoning: THOUGHT });
    model.plan = () => cut(`<think>\n\n</think>\n\n${ANSWER}`, 4);
    expect((await chat.regenerate(answer.id, { options: { think: true } })).answer).toMatchObject({ content: ANSWER, reasoning: null });
    expect(model.requests.at(-1)?.think).toBe(true);
  });

  it('stays with an answer that was stopped', async () => {
    const begun = gate();
    model.plan = async function* (request) {
      yield { say: '<think>So far' };
      yield { say: ' so good' };
      begun.open();
      await untilAborted(request.signal);
    };
    const chat = await begin();
    const { json } = await api.post(`${chat.path}/messages`, { content: 'From which pier?' }, token);
    const { job } = json as unknown as { job: { id: string } };
    const reading = api.fetch(`/api/v1/jobs/${job.id}/events`, { token }).then(parseEvents);
    await begun.opened;
    await api.post(`/api/v1/jobs/${job.id}/cancel`, undefined, token);
    const told = said(await reading, 'reasoning');
    expect(told).toMatch(/^So far/);
    expect((await chat.list())[1]).toMatchObject({ status: 'cancelled', content: '', reasoning: told });
  });

  it('cannot be had of a model that does not think', async () => {
    const chat = await begin({ model: 'smollm2-135m-instruct', options: { think: true } });
    const { status, json } = await api.post(`${chat.path}/messages`, { content: 'Hello?' }, token);
    expect([status, json.detail]).toEqual([400, 'options.think: smollm2-135m-instruct does not think before it answers.']);
    expect(await chat.list()).toEqual([]);
  });
});
