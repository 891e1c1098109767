import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GroundedAnswers, type Citation } from '@features/chat';
import { Models } from '@features/models';
import { Collections, type Collection } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { startApi, type Registered, type TestApi } from '../support/api';
import { DocumentsOf } from '../support/documents';
import { describeModels } from '../support/models';

interface FollowUp {
  id: string;
  history: [string];
  question: string;
  document: string;
  evidence: string;
}

const DOCUMENTS = join(__dirname, '..', 'fixtures', 'documents');
const texts = new Map(readdirSync(DOCUMENTS).map((name) => [name, readFileSync(join(DOCUMENTS, name), 'utf8')]));
const { questions } = JSON.parse(readFileSync(join(__dirname, '..', 'eval', 'follow-ups.json'), 'utf8')) as { questions: FollowUp[] };
const TARGET = 0.9;
/** Ten documents are embedded, and every question asked twice: a busy machine needs its time. */
jest.setTimeout(180_000);

describeModels('Second turns of conversations', () => {
  let api: TestApi;
  let me: Registered;
  let card: ModelCard;
  let collections: Collection[];

  beforeAll(async () => {
    api = await startApi({ database: 'embedded', env: { RATE_LIMIT_PER_MINUTE: '100000' } });
    me = await api.register();
    const mine = new DocumentsOf(api, me);
    for (const [name, text] of texts) await mine.ready(await mine.upload(text, name));
    card = await api.app.get(Models, { strict: false }).resolve('chat');
    collections = await api.app.get(Collections, { strict: false }).resolve(me.workspaceId, ['default']);
  });
  afterAll(() => api.close());

  /** What an answer would be written from: the sink stops it before the model is asked. */
  const given = async (question: string, earlier: string[]): Promise<Citation[]> => {
    const reached = new Error('The passages are there.');
    let list: Citation[] = [];
    const stop = (): Promise<void> => Promise.reject(reached);
    const citations = (passages: Citation[]): Promise<void> => {
      list = passages;
      return stop();
    };
    const history = earlier.map((content) => ({ role: 'user' as const, content }));
    const account = { workspaceId: me.workspaceId, userId: me.userId, apiKeyId: null, jobId: null };
    const request = {
      question,
      history,
      system: null,
      collections,
      topK: 5,
      options: {},
      card,
      signal: new AbortController().signal,
      account,
    };
    const answer = api.app.get(GroundedAnswers, { strict: false }).write(request, { citations, delta: stop, reasoning: stop });
    await expect(answer).rejects.toBe(reached);
    return list;
  };

  const missed = async (earlier: (asked: FollowUp) => string[]): Promise<string[]> => {
    const ids: string[] = [];
    for (const asked of questions) {
      const start = texts.get(asked.document)?.indexOf(asked.evidence) ?? -1;
      expect([asked.id, start >= 0]).toEqual([asked.id, true]);
      const end = start + asked.evidence.length;
      const passages = (await given(asked.question, earlier(asked))).slice(0, 5);
      const hit = passages.some((passage) => passage.document === asked.document && passage.start < end && passage.end > start);
      if (!hit) ids.push(asked.id);
    }
    return ids;
  };

  it('are found with the turn before them, which alone they are not', async () => {
    expect(questions.length).toBeGreaterThanOrEqual(12);
    const together = await missed(({ history }) => history);
    const alone = await missed(() => []);
    const share = (ids: string[]): number => 1 - ids.length / questions.length;
    process.stdout.write(
      `hit@5 of ${questions.length} second turns: ${share(together).toFixed(3)} (missed: ${together.join(', ')}); alone: ${share(alone).toFixed(3)}\n`,
    );
    expect(share(together)).toBeGreaterThanOrEqual(TARGET);
    expect(share(alone)).toBeLessThan(share(together));
  });
});
