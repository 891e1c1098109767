import type { Passage, Search } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { passageOf } from '../../../../test/support/passages';
import { chatCard, modelsOver, ScriptedRuntime } from '../../../../test/support/scripted.runtime';
import type { GroundedRequest } from './answer-task';
import { FullTexts } from './full-texts.service';
import { readQuestion } from './question';

const TEXT = 'The mill was built of stone. It grinds barley. The miller sleeps until noon. Nobody wakes him.';
const slice = (start: number, end: number, documentId: string): Passage =>
  passageOf({ id: `${documentId}/${start}`, documentId, start, end, text: TEXT.slice(start, end) });

/** Documents as the ledger holds them: neighbouring chunks overlap. */
const STORED: Record<string, Passage[]> = {
  mill: [slice(0, 46, 'mill'), slice(29, 77, 'mill'), slice(46, TEXT.length, 'mill')],
  small: [slice(0, 28, 'small')],
};

function given(documentIds: string[], card: Partial<ModelCard>, options: GroundedRequest['options'] = {}): Promise<Passage[]> {
  const search = { documents: async (ids: string[]) => ids.flatMap((id) => STORED[id] ?? []) } as unknown as Search;
  const full = chatCard({ contextLength: 400, ...card });
  const request: GroundedRequest = {
    question: 'What is this about?',
    history: [],
    system: null,
    collections: [],
    topK: 1,
    options,
    card: full,
    signal: new AbortController().signal,
    account: { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: null },
  };
  const question = readQuestion(request.question, []);
  return new FullTexts(search, modelsOver(new ScriptedRuntime(full, []))).of({ request, question }, documentIds);
}

describe('FullTexts', () => {
  it('gives the whole text once, in slices with their offsets', async () => {
    const passages = await given(['mill'], {});
    expect(passages.map(({ text }) => text).join('')).toBe(TEXT);
    for (const { start, end, text } of passages) expect(TEXT.slice(start, end)).toBe(text);
  });

  it('keeps documents apart', async () => {
    const passages = await given(['small', 'mill'], {});
    expect(passages.map(({ documentId, start }) => [documentId, start])).toEqual([
      ['small', 0],
      ['mill', 0],
      ['mill', 46],
      ['mill', 77],
    ]);
  });

  it('gives nothing when the context has no room for all of it', async () => {
    // The prompt has about 80 words, which this runtime counts as its tokens; the answer keeps a quarter of the context.
    expect(await given(['mill'], { contextLength: 80 })).toEqual([]);
    expect(await given(['mill'], {}, { max_tokens: 390 })).toEqual([]);
    expect(await given(['mill'], {}, { max_tokens: 200 })).not.toEqual([]);
  });

  it('gives nothing to starter models', async () => {
    expect(await given(['small'], { grade: 'starter' })).toEqual([]);
  });
});
