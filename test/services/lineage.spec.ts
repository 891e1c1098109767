// Loading it takes seconds here, in which nothing else goes on: not in the middle of a test.
import 'neo4j-driver';
import { PostgresGraph, sql } from '@backing/postgres';
import { Graph, type LineagePage, type LineageQuery } from '@kernel/graph';
import { startApi, type Registered, type TestApi } from '../support/api';
import { describeDatabases } from '../support/databases';
import { LineageBench, neo4jSettings, type WrittenCitation } from '../support/lineage';
import { describeService } from '../support/services';

const NOBODYS = '019b0000-0000-7000-8000-000000000000';

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >> 8) % below;
  };
}

describeService('neo4j', 'lineage is the same from the ledger and from Neo4j', (shared) =>
  describeDatabases('over one history', (kind) => {
    let api: TestApi;
    let me: Registered;
    let bench: LineageBench;
    let collectionId: string;
    beforeAll(async () => {
      api = await startApi({ database: kind, env: neo4jSettings(shared) });
      me = await api.register();
      bench = new LineageBench(api, me);
      collectionId = await bench.collection();
      await bench.copied(90_000);
    }, 120_000);
    afterAll(async () => {
      await bench.removeCopy();
      await api.close();
    });

    const asked = (documentId: string, more: Partial<LineageQuery> = {}): LineageQuery => ({
      workspaceId: me.workspaceId,
      userId: me.userId,
      documentId,
      limit: 100,
      answers: 100,
      ...more,
    });
    /** From both, which must agree. */
    const both = async (query: LineageQuery): Promise<LineagePage> => {
      const [copy, ledger] = [api.app.get(Graph, { strict: false }), api.app.get(PostgresGraph, { strict: false })];
      expect(copy.copy).not.toBeNull();
      const [fromLedger, fromCopy] = [await ledger.lineage(query), await copy.lineage(query)];
      expect(fromCopy).toEqual(fromLedger);
      return fromLedger;
    };
    const told = ({ chunks }: LineagePage) =>
      chunks.map(({ current, start, answers }) => [current, start, answers.map((answer) => answer.id)]);

    it('of a document with several versions, and never with what others keep private', async () => {
      const other = await bench.member();
      const id = await bench.document(collectionId, 3);
      const mine = await bench.session(me.userId, 'private');
      const theirs = await bench.session(other, 'private');
      const shown = await bench.session(other, 'workspace');
      const cited: WrittenCitation[] = [{ documentId: id, version: 1, ordinal: 1 }];
      const [one, two, three] = [await bench.answer(mine, cited), await bench.answer(theirs, cited), await bench.answer(shown, cited)];
      await bench.copied();
      const before = await both(asked(id));
      expect(before.version).toBe(1);
      expect(told(before)).toEqual([
        [true, 0, []],
        [true, 100, [three, one]],
        [true, 200, []],
      ]);
      await bench.show(id, collectionId, 2, 2);
      await bench.copied();
      expect(told(await both(asked(id)))).toEqual([
        [true, 0, []],
        [true, 100, []],
        [false, 100, [three, one]],
      ]);
      expect(told(await both(asked(id, { userId: other }))).at(-1)).toEqual([false, 100, [three, two]]);
    });

    it('page by page, in one order', async () => {
      const id = await bench.document(collectionId, 45);
      const session = await bench.session(me.userId, 'private');
      const chunk = (ordinal: number): WrittenCitation => ({ documentId: id, version: 1, ordinal });
      for (let n = 0; n < 5; n += 1) await bench.answer(session, [chunk(7), chunk(8 + n)]);
      await bench.show(id, collectionId, 2, 45);
      await bench.copied();
      const whole = await both(asked(id));
      expect(whole.chunks).toHaveLength(51);
      const paged = [];
      for (let after: string | undefined; ; ) {
        const page = await both(asked(id, { limit: 20, answers: 2, after }));
        paged.push(...page.chunks);
        if (!page.hasMore) break;
        after = page.chunks.at(-1)?.id;
      }
      expect(paged.map((each) => each.id)).toEqual(whole.chunks.map((each) => each.id));
      expect(paged.find(({ answers }) => answers.length === 2)).toMatchObject({ current: false, start: 700, moreAnswers: true });
      for (const adapter of [api.app.get(Graph, { strict: false }), api.app.get(PostgresGraph, { strict: false })])
        await expect(adapter.lineage(asked(id, { after: NOBODYS }))).rejects.toMatchObject({ code: 'invalid' });
    });

    it('of nothing, and of documents elsewhere', async () => {
      const nothing = { version: null, chunks: [], hasMore: false };
      expect(await both(asked(NOBODYS))).toEqual(nothing);
      const id = await bench.document(collectionId, 1);
      await bench.copied();
      expect(await both(asked(id, { workspaceId: NOBODYS }))).toEqual(nothing);
    });

    it('of a document of 2,500 chunks', async () => {
      const id = await bench.document(collectionId, 2_500);
      await bench.copied();
      expect((await both(asked(id))).hasMore).toBe(true);
      expect(await bench.differences()).toEqual([]);
    });

    it('after any history', async () => {
      const next = numbers(7);
      const any = <T>(list: T[]): T => list[next(list.length)] as T;
      const other = await bench.member();
      const documents: { id: string; version: number; chunks: number }[] = [];
      const sessions = [
        await bench.session(me.userId, 'private'),
        await bench.session(other, 'private'),
        await bench.session(other, 'workspace'),
      ];
      const add = async (): Promise<void> => {
        const chunks = 1 + next(12);
        documents.push({ id: await bench.document(collectionId, chunks), version: 1, chunks });
      };
      const cite = async (): Promise<void> => {
        const cited = Array.from({ length: 1 + next(3) }, () => {
          const { id: documentId, version, chunks } = any(documents);
          return { documentId, version, ordinal: next(chunks) };
        });
        await bench.answer(any(sessions), cited);
      };
      const replace = async (): Promise<void> => {
        const document = any(documents);
        document.chunks = 1 + next(12);
        document.version += 1;
        await bench.show(document.id, collectionId, document.version, document.chunks);
      };
      const remove = async (): Promise<void> => {
        const [gone] = documents.splice(next(documents.length), 1);
        expect((await api.delete(`/api/v1/documents/${gone?.id}`, me.accessToken)).status).toBe(204);
      };
      const turn = (): Promise<void> => bench.turn(any(sessions));
      const steps = [add, add, cite, cite, cite, cite, cite, replace, remove, turn];
      for (let step = 0; step < 150; step += 1) await (documents.length < 2 ? add() : any(steps)());
      await bench.copied();
      expect(await bench.differences()).toEqual([]);
      let answers = 0;
      for (const { id } of documents) {
        for (const userId of [me.userId, other]) {
          const { chunks } = await both(asked(id, { userId }));
          answers += chunks.reduce((sum, chunk) => sum + chunk.answers.length, 0);
        }
      }
      expect(answers).toBeGreaterThan(30);
      await bench.ledger.query(sql`DELETE FROM chat_sessions WHERE id = ${sessions[2]}`);
      await bench.copied();
      expect(await bench.differences()).toEqual([]);
    });
  }),
);
