import { PostgresClient, sql } from '@backing/postgres';
import { Models } from '@features/models';
import { AppError } from '@kernel/errors';
import type { ChatRequest } from '@kernel/models';
import { startApi, type ApiAnswer, type Registered, type TestApi } from '../support/api';
import { ChatBench } from '../support/chat';
import { describeDatabases } from '../support/databases';
import { parseEvents } from '../support/events';
import { gate } from '../support/jobs';
import { PlannedRuntime } from '../support/planned.runtime';

const jobOf = (answer: ApiAnswer | undefined): string => {
  if (answer === undefined) throw new Error('No question was accepted.');
  return (answer.json as unknown as { job: { id: string } }).job.id;
};

const UNKNOWN = '018f0000-0000-7000-8000-000000000000';

/** Says how many answers it has given, and after which question. */
const COUNTING = (request: ChatRequest, place: number) => [{ say: `Answer ${place} to "${request.turns.at(-1)?.content ?? ''}"` }];

describeDatabases('the branches of a conversation', (kind) => {
  let api: TestApi;
  let owner: Registered;
  let model: PlannedRuntime;

  beforeAll(async () => {
    api = await startApi({ database: kind, env: { AUTH_REGISTRATION: 'open' } });
    model = new PlannedRuntime('planned', false).serve(api.app);
    new PlannedRuntime('other', false).serve(api.app);
    owner = await api.register();
  });
  afterAll(() => api.close());
  beforeEach(() => {
    model.requests.length = 0;
    model.plan = COUNTING;
  });

  const begin = (body: object = {}): Promise<ChatBench> => ChatBench.begin(api, owner.accessToken, { model: 'planned', ...body });
  const patch = (chat: ChatBench, id: string, body: unknown = { active: true }) =>
    api.request(chat.message(id), { method: 'PATCH', token: owner.accessToken, body });
  /** What the model was given, without the system text. */
  const given = (): string[] => model.requests.at(-1)?.turns.flatMap(({ role, content }) => (role === 'system' ? [] : [content])) ?? [];

  describe('another answer', () => {
    it('stands beside the earlier one, takes its place on the branch, and has the same conversation before it', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      const second = await chat.ask('Two?');
      const again = await chat.regenerate(second.answer.id);
      expect(again.question.id).toBe(second.question.id);
      expect(again.answer).toMatchObject({
        parent_id: second.question.id,
        status: 'complete',
        content: 'Answer 3 to "Two?"',
        active: true,
      });
      expect(given()).toEqual(['One?', first.answer.content, 'Two?']);
      expect((await chat.list()).map(({ id, active }) => [id, active])).toEqual([
        [first.question.id, true],
        [first.answer.id, true],
        [second.question.id, true],
        [second.answer.id, false],
        [again.answer.id, true],
      ]);
      await chat.ask('Three?');
      expect(given()).toEqual(['One?', first.answer.content, 'Two?', again.answer.content, 'Three?']);
    });

    it('of an earlier question leaves what followed it on a branch of its own', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      await chat.ask('Two?');
      const again = await chat.regenerate(first.question.id);
      expect(await chat.branch()).toEqual(['One?', again.answer.content]);
      expect(await chat.list()).toHaveLength(5);
    });

    it('is made like the earlier one but for what is wanted', async () => {
      const chat = await begin({ options: { temperature: 0.5 } });
      const { answer } = await chat.ask('One?', { options: { seed: 7, max_tokens: 30 } });
      await chat.regenerate(answer.id, { options: { seed: 8 } });
      expect(model.requests.at(-1)).toMatchObject({ temperature: 0.5, seed: 8, maxTokens: 30 });
      const other = await chat.regenerate(answer.id, { model: 'other' });
      expect(other.answer).toMatchObject({ model: 'other', content: 'Nothing was planned.' });
      const back = await chat.regenerate(other.answer.id, {});
      expect(back.answer.model).toBe('other');
    });

    it('can be had for a question whose answer failed, and as a stream', async () => {
      const chat = await begin();
      model.plan = () => {
        throw new AppError('unprocessable', 'The model does not want to.');
      };
      const failed = await chat.ask('One?');
      expect(failed.answer.status).toBe('failed');
      model.plan = COUNTING;
      const response = await api.fetch(chat.message(failed.question.id, '/regenerate'), {
        method: 'POST',
        token: owner.accessToken,
        headers: { accept: 'text/event-stream' },
      });
      const events = await parseEvents(response);
      expect(events.at(-1)).toMatchObject({ event: 'done', data: { parent_id: failed.question.id, status: 'complete' } });
      expect(await chat.branch()).toEqual(['One?', events.at(-1)?.data.content]);
    });

    it('is refused where it makes no sense', async () => {
      const chat = await begin();
      const { answer } = await chat.ask('One?');
      const wanted = async (id: string, body?: object) =>
        (await api.post(chat.message(id, '/regenerate'), body, owner.accessToken)).json as { status?: number; detail?: string };
      expect(await wanted(UNKNOWN)).toMatchObject({ status: 404 });
      expect(await wanted('nothing')).toMatchObject({ status: 404 });
      expect(await wanted(answer.id, { model: 'no-such-model' })).toMatchObject({ status: 400, detail: expect.stringContaining('model') });
      expect(await wanted(answer.id, { options: { think: true } })).toMatchObject({
        status: 400,
        detail: expect.stringContaining('options.think'),
      });
      expect(await wanted(answer.id, { content: 'x' })).toMatchObject({ status: 400, detail: expect.stringContaining('content') });
      const elsewhere = await begin();
      expect(await api.post(elsewhere.message(answer.id, '/regenerate'), undefined, owner.accessToken)).toMatchObject({ status: 404 });
      expect(await elsewhere.list()).toEqual([]);
      expect((await api.get(elsewhere.message(answer.id), owner.accessToken)).status).toBe(404);
      expect((await api.post(elsewhere.message(answer.id, '/feedback'), { rating: 'up' }, owner.accessToken)).status).toBe(404);
      expect(await chat.list()).toHaveLength(2);
    });
  });

  describe('an edited question', () => {
    it('is a sibling of the first one; the context is the active branch, the title stays', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      const second = await chat.ask('Two?');
      const edited = await chat.ask('Two, edited?', { parent_id: first.answer.id });
      expect(edited.question.parent_id).toBe(first.answer.id);
      expect(given()).toEqual(['One?', first.answer.content, 'Two, edited?']);
      expect(await chat.branch()).toEqual(['One?', first.answer.content, 'Two, edited?', edited.answer.content]);
      const root = await chat.ask('Begun anew?', { parent_id: null });
      expect(given()).toEqual(['Begun anew?']);
      expect(root.question.parent_id).toBeNull();
      expect(await chat.branch()).toEqual(['Begun anew?', root.answer.content]);
      expect((await chat.read()).title).toBe('One?');
      const back = await chat.ask('Three?', { parent_id: second.answer.id });
      expect(await chat.branch()).toEqual(['One?', first.answer.content, 'Two?', second.answer.content, 'Three?', back.answer.content]);
      expect(given()).toEqual(['One?', first.answer.content, 'Two?', second.answer.content, 'Three?']);
    });

    it('follows no message of another session', async () => {
      const { answer } = await (await begin()).ask('Elsewhere?');
      const chat = await begin();
      const asked = await api.post(`${chat.path}/messages`, { content: 'Here?', parent_id: answer.id }, owner.accessToken);
      expect(asked.json).toMatchObject({ status: 422, code: 'unprocessable', detail: expect.stringContaining('parent_id') });
      expect(await chat.list()).toEqual([]);
    });

    it('races others: one is accepted, and one branch is active', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      await chat.ask('Two?');
      const open = gate();
      model.plan = async function* () {
        await open.opened;
        yield { say: 'Late.' };
      };
      const parents = [first.answer.id, null, undefined, first.question.id, null, first.answer.id];
      const asked = await Promise.all([
        ...parents.map((parent_id, place) =>
          api.post(
            `${chat.path}/messages`,
            { content: `Edit ${place}?`, ...(parent_id === undefined ? {} : { parent_id }) },
            owner.accessToken,
          ),
        ),
        api.post(chat.message(first.answer.id, '/regenerate'), undefined, owner.accessToken),
      ]);
      const won = asked.filter(({ status }) => status === 202);
      expect([won.length, asked.filter(({ status }) => status === 409).length]).toEqual([1, 6]);
      for (const { status, json } of asked) if (status === 409) expect(json.job_id).toBe(jobOf(won[0]));
      open.open();
      await api.get(`/api/v1/jobs/${jobOf(won[0])}/events`, owner.accessToken);
      await expectOneBranch(chat);
    });
  });

  describe('a question to a session that changes while it is read', () => {
    /** Does this between the reading of the session and the acceptance, once. */
    function meanwhile(work: () => Promise<unknown>): void {
      const models = api.app.get(Models, { strict: false });
      const resolve = models.resolve.bind(models);
      jest.spyOn(models, 'resolve').mockImplementationOnce(async (...wanted) => {
        await work();
        return resolve(...wanted);
      });
    }
    afterEach(() => jest.restoreAllMocks());

    it('is accepted as the session is then', async () => {
      const chat = await begin();
      meanwhile(() =>
        api.request(chat.path, { method: 'PATCH', token: owner.accessToken, body: { visibility: 'workspace', title: 'Ours' } }),
      );
      const { answer } = await chat.ask('One?');
      const rows = await api.app
        .get(PostgresClient)
        .query<{ visibility: string }>(sql`SELECT visibility FROM jobs WHERE subject_id = ${chat.id}`);
      expect([answer.status, rows]).toEqual(['complete', [{ visibility: 'workspace' }]]);
      expect((await chat.read()).title).toBe('Ours');
    });

    it('leaves nothing behind when the session is deleted', async () => {
      const chat = await begin();
      meanwhile(() => api.delete(chat.path, owner.accessToken));
      expect((await api.post(`${chat.path}/messages`, { content: 'One?' }, owner.accessToken)).status).toBe(404);
      const rows = await api.app.get(PostgresClient).query(sql`SELECT id FROM jobs WHERE subject_id = ${chat.id}`);
      expect(rows).toEqual([]);
    });

    it('is refused with the job of the one that came in between', async () => {
      const chat = await begin();
      const open = gate();
      model.plan = async function* () {
        await open.opened;
        yield { say: 'Late.' };
      };
      let first: ApiAnswer | undefined;
      meanwhile(async () => (first = await api.post(`${chat.path}/messages`, { content: 'One?' }, owner.accessToken)));
      const second = await api.post(`${chat.path}/messages`, { content: 'Two?' }, owner.accessToken);
      expect(second.json).toMatchObject({ status: 409, code: 'conflict', job_id: jobOf(first) });
      open.open();
      await api.get(`/api/v1/jobs/${jobOf(first)}/events`, owner.accessToken);
      expect(await chat.branch()).toEqual(['One?', 'Late.']);
    });
  });

  /** The active messages are a path from a first message down, each the parent of the next. */
  async function expectOneBranch(chat: ChatBench): Promise<void> {
    const active = (await chat.list()).filter((message) => message.active);
    expect(active.map(({ parent_id }) => parent_id)).toEqual([null, ...active.slice(0, -1).map(({ id }) => id)]);
  }

  describe('the active branch', () => {
    it('is changed by hand: through a message, and below it by the newest', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      const second = await chat.ask('Two?');
      const newest = await chat.ask('Two, edited?', { parent_id: first.answer.id });
      const root = await chat.ask('Anew?', { parent_id: null });
      const changed = await patch(chat, second.question.id);
      expect(changed.status).toBe(200);
      expect(changed.json).toMatchObject({ id: second.question.id, active: true });
      expect(await chat.branch()).toEqual(['One?', first.answer.content, 'Two?', second.answer.content]);
      await patch(chat, first.answer.id);
      expect(await chat.branch()).toEqual(['One?', first.answer.content, 'Two?', second.answer.content]);
      await patch(chat, root.answer.id);
      await patch(chat, first.question.id);
      expect(await chat.branch()).toEqual(['One?', first.answer.content, 'Two, edited?', newest.answer.content]);
      await patch(chat, second.answer.id);
      await chat.ask('Three?');
      expect(given()).toEqual(['One?', first.answer.content, 'Two?', second.answer.content, 'Three?']);
    });

    it('may change while an answer is written: the answer keeps its own conversation', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      const root = await chat.ask('Anew?', { parent_id: null });
      const [begun, open] = [gate(), gate()];
      model.plan = async function* () {
        begun.open();
        await open.opened;
        yield { say: 'Late.' };
      };
      const asked = await api.post(`${chat.path}/messages`, { content: 'More?' }, owner.accessToken);
      await begun.opened;
      await patch(chat, first.question.id);
      open.open();
      await api.get(`/api/v1/jobs/${jobOf(asked)}/events`, owner.accessToken);
      expect(given()).toEqual(['Anew?', root.answer.content, 'More?']);
      expect(await chat.branch()).toEqual(['One?', first.answer.content]);
      await expectOneBranch(chat);
    });

    it('stays one whoever changes it at the same time', async () => {
      const chat = await begin();
      const first = await chat.ask('One?');
      const edits = [await chat.ask('A?', { parent_id: first.answer.id }), await chat.ask('B?', { parent_id: first.answer.id })];
      const ids = [...edits.map(({ answer }) => answer.id), first.question.id];
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all([...ids, ...ids].map((id) => patch(chat, id)));
        expect(answers.filter(({ status }) => status === 500)).toEqual([]);
        await expectOneBranch(chat);
      }
    });

    it.each([{}, { active: false }, { active: true, content: 'x' }])('is not changed by %j', async (body) => {
      const chat = await begin();
      const { answer } = await chat.ask('One?');
      expect((await patch(chat, answer.id, body)).status).toBe(400);
      expect((await patch(chat, UNKNOWN)).status).toBe(404);
    });
  });

  describe('titles', () => {
    it('come from the first question of the branch, and stay as they were set by hand', async () => {
      const chat = await begin();
      const first = await chat.ask('  The   first line\nand a second one');
      expect((await chat.read()).title).toBe('The first line');
      const rename = (title: string | null) => api.request(chat.path, { method: 'PATCH', token: owner.accessToken, body: { title } });
      await rename('By hand');
      await chat.ask('Another beginning?', { parent_id: null });
      await chat.regenerate(first.answer.id);
      expect((await chat.read()).title).toBe('By hand');
      await rename(null);
      await chat.ask('The second question?', { parent_id: first.answer.id });
      expect((await chat.read()).title).toBe('The first line');
    });

    it('are cut at a word and whole characters', async () => {
      const chat = await begin();
      await chat.ask(`${'word '.repeat(15)}${'😀'.repeat(30)}`);
      expect((await chat.read()).title).toBe(`${'word '.repeat(15).trim()}…`);
    });
  });

  describe('feedback', () => {
    const rate = (chat: ChatBench, id: string, body: object) => api.post(chat.message(id, '/feedback'), body, owner.accessToken);

    it('is kept with the answer, replaced and taken back', async () => {
      const chat = await begin();
      const { question, answer } = await chat.ask('One?');
      const rated = await rate(chat, answer.id, { rating: 'down', note: ' Too short. ' });
      expect(rated.status).toBe(200);
      expect(rated.json).toMatchObject({ id: answer.id, feedback: { rating: 'down', note: 'Too short.' } });
      await rate(chat, answer.id, { rating: 'up' });
      expect((await chat.list())[1]?.feedback).toEqual({ rating: 'up', note: null });
      const wrong = await rate(chat, question.id, { rating: 'up' });
      expect(wrong.json).toMatchObject({ status: 422, code: 'unprocessable' });
      expect((await api.delete(chat.message(answer.id, '/feedback'), owner.accessToken)).status).toBe(204);
      expect((await chat.list()).map(({ feedback }) => feedback)).toEqual([null, null]);
    });

    it.each([
      [{}, 'rating'],
      [{ rating: 'best' }, 'rating'],
      [{ rating: 'up', note: 'x'.repeat(2_001) }, 'note'],
      [{ rating: 'up', stars: 5 }, 'stars'],
    ])('refuses %j', async (body, named) => {
      const chat = await begin();
      const { answer } = await chat.ask('One?');
      const { status, json } = await rate(chat, answer.id, body);
      expect([status, String(json.detail).includes(named)]).toEqual([400, true]);
      expect((await rate(chat, UNKNOWN, { rating: 'up' })).status).toBe(404);
    });
  });

  describe('visibility', () => {
    let member: Registered;

    beforeAll(async () => {
      member = await api.register('member@example.org');
      // As an owner of the first one's workspace, and of no other: that is where the login leads.
      const database = api.app.get(PostgresClient);
      await database.query(
        sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${owner.workspaceId}, ${member.userId}, 'owner')`,
      );
      await database.query(sql`DELETE FROM memberships WHERE workspace_id = ${member.workspaceId} AND user_id = ${member.userId}`);
      const { json } = await api.post('/api/v1/auth/login', { email: 'member@example.org', password: 'correct horse battery staple' });
      member = { ...member, accessToken: String(json.access_token), workspaceId: owner.workspaceId };
    });

    const see = (chat: ChatBench, visibility: string) =>
      api.request(chat.path, { method: 'PATCH', token: owner.accessToken, body: { visibility } });

    async function statuses(chat: ChatBench, token: string): Promise<number[]> {
      const [question, answer] = await chat.list();
      const paths = [
        chat.path,
        `${chat.path}/messages`,
        chat.message(question?.id ?? ''),
        `/api/v1/jobs/${answer?.job_id}`,
        `/api/v1/jobs/${answer?.job_id}/events`,
      ];
      const seen: number[] = [];
      for (const path of paths) seen.push((await api.get(path, token)).status);
      return seen;
    }

    it('private: nobody else sees anything, not even an owner of the workspace', async () => {
      const chat = await begin();
      const { answer } = await chat.ask('One?');
      expect((await api.get('/api/v1/auth/me', member.accessToken)).text).toContain(owner.workspaceId);
      expect(await statuses(chat, member.accessToken)).toEqual([404, 404, 404, 404, 404]);
      expect(await statuses(chat, owner.accessToken)).toEqual([200, 200, 200, 200, 200]);
      const refused = await Promise.all([
        api.post(chat.message(answer.id, '/regenerate'), undefined, member.accessToken),
        api.post(chat.message(answer.id, '/feedback'), { rating: 'up' }, member.accessToken),
        api.request(chat.message(answer.id), { method: 'PATCH', token: member.accessToken, body: { active: true } }),
        api.post(`/api/v1/jobs/${answer.job_id}/cancel`, undefined, member.accessToken),
      ]);
      expect(refused.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
      expect((await api.get('/api/v1/chat/sessions', member.accessToken)).text).not.toContain(chat.id);
    });

    it('workspace: members read everything, its maker alone writes; it is taken back for all', async () => {
      const chat = await begin();
      await chat.ask('One?');
      await see(chat, 'workspace');
      const { answer } = await chat.ask('Two?');
      expect(await statuses(chat, member.accessToken)).toEqual([200, 200, 200, 200, 200]);
      expect((await api.get(`/api/v1/jobs/${answer.job_id}`, member.accessToken)).status).toBe(200);
      expect((await api.get('/api/v1/chat/sessions', member.accessToken)).text).toContain(chat.id);
      const refused = await Promise.all([
        api.post(`${chat.path}/messages`, { content: 'Mine?' }, member.accessToken),
        api.post(chat.message(answer.id, '/regenerate'), undefined, member.accessToken),
        api.post(chat.message(answer.id, '/feedback'), { rating: 'up' }, member.accessToken),
        api.delete(chat.message(answer.id, '/feedback'), member.accessToken),
        api.request(chat.message(answer.id), { method: 'PATCH', token: member.accessToken, body: { active: true } }),
        api.request(chat.path, { method: 'PATCH', token: member.accessToken, body: { title: 'Mine' } }),
        api.delete(chat.path, member.accessToken),
      ]);
      expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403, 403]);
      await see(chat, 'private');
      expect(await statuses(chat, member.accessToken)).toEqual([404, 404, 404, 404, 404]);
      expect((await api.get(`/api/v1/jobs/${answer.job_id}`, member.accessToken)).status).toBe(404);
      expect(await chat.list()).toHaveLength(4);
    });

    it('workspace: only this one, and no job of another kind or session', async () => {
      const [shared, other] = [await begin(), await begin()];
      await shared.ask('One?');
      await other.ask('One?');
      await see(shared, 'workspace');
      expect(await statuses(other, member.accessToken)).toEqual([404, 404, 404, 404, 404]);
    });
  });
});
