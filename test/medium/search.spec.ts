import { sql } from '@backing/postgres';
import { analyse, COVERAGE_FOUND, type Passage } from '@features/vectors';
import { describeDatabases } from '../support/databases';
import { describeModels } from '../support/models';
import { TestVectors } from '../support/vectors';

const NOTES = [
  'The lighthouse was painted white in 1921 and repaired after the great storm.',
  'Tickets for the ferry cost twelve crowns; children under six travel free.',
  'The harbour master keeps the keys of the lighthouse in the old office.',
  'Dogs must be kept on a leash in the garden and on the pier.',
  'Storm warnings are announced by two red lamps above the pier. Storm damage is reported to the office, and every storm is logged.',
];

/** BM25 by its formula, written down independently of the statement. */
function bm25(texts: string[], question: string, language = 'en'): { scores: number[]; coverage: number[] } {
  const documents = texts.map((text) => analyse(text, language).map((lexeme) => lexeme.text));
  const average = documents.reduce((sum, words) => sum + words.length, 0) / documents.length;
  const words = [...new Set(analyse(question, language).map((lexeme) => lexeme.text))];
  const idf = words.map((word) => {
    const holding = documents.filter((document) => document.includes(word)).length;
    return Math.log(1 + (documents.length - holding + 0.5) / (holding + 0.5));
  });
  const all = idf.reduce((sum, weight) => sum + weight, 0);
  const per = documents.map((document) => words.map((word) => document.filter((other) => other === word).length));
  return {
    scores: per.map((counts, n) =>
      counts.reduce(
        (sum, tf, w) => sum + ((idf[w] ?? 0) * tf * 2.2) / (tf + 1.2 * (0.25 + (0.75 * (documents[n]?.length ?? 0)) / average)),
        0,
      ),
    ),
    coverage: per.map((counts) => counts.reduce((sum, tf, w) => sum + (tf > 0 ? (idf[w] ?? 0) : 0), 0) / all),
  };
}

const ordinals = (passages: Passage[]): number[] => passages.map((passage) => passage.ordinal);

describeModels('Search', () => {
  describeDatabases('hybrid', (kind) => {
    let vectors: TestVectors;
    beforeAll(async () => {
      vectors = await TestVectors.open(kind);
    });
    afterAll(() => vectors.close());

    it('answers nothing from an empty collection, and names one that is not there', async () => {
      await vectors.collection('empty');
      expect(await vectors.find(['empty'], 'anything')).toEqual([]);
      await expect(vectors.find(['nowhere'], 'anything')).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining('nowhere'),
      });
    });

    it('scores text as BM25 does and tells how much of the question a passage holds', async () => {
      await vectors.add(await vectors.collection('notes'), NOTES);
      for (const question of ['storm at the lighthouse', 'storm office pier unheardofword', 'keys']) {
        const expected = bm25(NOTES, question);
        const passages = await vectors.find(['notes'], question);
        expect(passages).toHaveLength(NOTES.length);
        for (const passage of passages) {
          const score = expected.scores[passage.ordinal] ?? 0;
          if (score === 0) expect([passage.ordinal, passage.scores.text]).toEqual([passage.ordinal, null]);
          else expect(passage.scores.text).toBeCloseTo(score, 5);
          expect(passage.coverage).toBeCloseTo(expected.coverage[passage.ordinal] ?? 0, 5);
        }
      }
    });

    it('finds by meaning what shares no word, and by words what the vectors miss', async () => {
      const [byMeaning] = await vectors.find(['notes'], 'How much does a boat trip cost for a small child?', 1);
      expect(byMeaning).toMatchObject({ ordinal: 1, found: true });
      const [byWords] = await vectors.find(['notes'], 'leash', 1);
      expect(byWords).toMatchObject({ ordinal: 3, coverage: 1, found: true });
    });

    it('says that nothing was found when nothing fits', async () => {
      const passages = await vectors.find(['notes'], 'quarterly revenue of the semiconductor industry');
      expect(passages.length).toBeGreaterThan(0);
      for (const passage of passages) {
        expect(passage.coverage).toBeLessThan(COVERAGE_FOUND);
        expect(passage.found).toBe(false);
      }
    });

    it('gives exact cosines of the ledger, and fused scores from 0 to 1 in order', async () => {
      const question = 'storm lamps';
      const {
        vectors: [asked],
      } = await vectors.models.embed(
        { model: 'all-minilm-l6-v2', texts: [question, ...NOTES], input: 'query', signal: new AbortController().signal },
        vectors.account,
      );
      const passages = await vectors.find(['notes'], question);
      const rows = await vectors.client.query<{ id: string; vector: Buffer }>(sql`SELECT id, vector FROM points`);
      for (const passage of passages) {
        const bytes = rows.find((row) => row.id === passage.id)?.vector ?? Buffer.alloc(0);
        let dot = 0;
        let norm = 0;
        asked?.forEach((value, n) => {
          dot += value * bytes.readFloatLE(n * 4);
          norm += bytes.readFloatLE(n * 4) ** 2;
        });
        expect(passage.scores.vector).toBeCloseTo(dot / Math.sqrt(norm), 5);
      }
      const scores = passages.map((passage) => passage.score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      expect(scores[0]).toBeGreaterThan(0.9);
      expect(Math.max(...scores)).toBeLessThanOrEqual(1);
    });

    it('gives slices, names and offsets with a passage', async () => {
      const [passage] = await vectors.find(['notes'], 'harbour master keys', 1);
      expect(passage).toMatchObject({ ordinal: 2, kind: 'chunk', text: NOTES[2], page: null, heading: null, language: 'en' });
      expect(passage?.document).toBe(`${passage?.documentId}.txt`);
      expect((passage?.end ?? 0) - (passage?.start ?? 0)).toBe(NOTES[2]?.length);
    });

    it('shows only what is visible, though invisible points are nearer', async () => {
      const hidden = await vectors.collection('hidden');
      const seen = await vectors.add(hidden, ['Whales pass the coast in spring.']);
      const near = Array.from({ length: 200 }, (_, n) => `Whales and dolphins, sighting number ${n}.`);
      await vectors.add(hidden, near, { visible: false });
      const failed = await vectors.add(hidden, ['Whales were counted by the failed one.'], { visible: false, status: 'failed' });
      const passages = await vectors.find(['hidden'], 'whales and dolphins sighting', 3);
      expect(passages.map((passage) => passage.documentId)).toEqual([seen.id]);
      const byMeaning = await vectors.find(['hidden'], 'orcas or porpoises', 3);
      expect(byMeaning.map((passage) => [passage.documentId, passage.scores.text])).toEqual([[seen.id, null]]);
      // Weights come from what can be seen: of one passage that holds one of three words.
      expect(passages[0]?.scores.text).not.toBeNull();
      expect(await vectors.store.count((await vectors.collection('hidden')).space!, hidden.id)).toBe(202);
      await vectors.client.query(sql`UPDATE documents SET visible_version = 2 WHERE id = ${seen.id}`);
      expect(await vectors.find(['hidden'], 'whales', 3)).toEqual([]);
      expect(failed.chunks).toHaveLength(1);
    });

    it('asks in every language of the documents', async () => {
      const mixed = await vectors.collection('mixed');
      await vectors.add(mixed, ['Der Urlaub beträgt dreißig Arbeitstage im Kalenderjahr.'], { language: 'de' });
      await vectors.add(mixed, ['Holidays are requested in writing.'], { language: 'en' });
      await vectors.add(mixed, ['保証期間は購入日から二年間です。', '返品は三十日以内に受け付けます。'], { language: 'ja' });
      const [german] = await vectors.find(['mixed'], 'Wie viele Arbeitstage Urlaub gibt es?', 1);
      expect(german).toMatchObject({ language: 'de', coverage: 1, found: true });
      const [english] = await vectors.find(['mixed'], 'holiday request', 1);
      expect(english).toMatchObject({ language: 'en', coverage: 1 });
      const [japanese] = await vectors.find(['mixed'], '保証期間はどのくらいですか', 1);
      expect(japanese).toMatchObject({ language: 'ja', ordinal: 0, coverage: 1, found: true });
    });

    it('searches several collections at once and no other', async () => {
      const passages = await vectors.find(['notes', 'mixed'], 'storm holidays', 20);
      const names = new Set(passages.map((passage) => passage.collectionId));
      expect(names).toEqual(new Set([(await vectors.collection('notes')).id, (await vectors.collection('mixed')).id]));
    });

    it('takes any question', async () => {
      for (const odd of [' ', "'", '\\', '!!!', ':* & | <->', '🙂', 'the and of', "o'clock isn't"]) {
        expect([odd, ordinals(await vectors.find(['notes'], odd)).length <= NOTES.length]).toEqual([odd, true]);
      }
    });
  });
});
