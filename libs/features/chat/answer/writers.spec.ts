import type { Passage } from '@features/vectors';
import type { ModelCard } from '@kernel/models';
import { passageOf } from '../../../../test/support/passages';
import { chatCard, modelsOver, ScriptedRuntime } from '../../../../test/support/scripted.runtime';
import type { AnswerTask, FinishedAnswer, GroundedRequest } from './answer-task';
import { ContextFit } from './context-fit.service';
import { evidenceUnits } from './evidence-units';
import { FreeAnswers } from './free-answers.service';
import { AnswerGeneration } from './generation.service';
import { readQuestion } from './question';
import type { Grounds } from './retrieval.service';
import { StarterAnswers } from './starter-answers.service';

const KETTLE = 'The kettle holds 2 litres. It switches off after 40 seconds without water. The lid is made of oak.';
const ROOF = 'The roof is painted green every 6 years. Nobody may climb it in winter.';
const PASSAGES = [passageOf({ text: KETTLE, document: 'kettle.txt', page: 3 }), passageOf({ text: ROOF, document: 'roof.txt' })];

const SCORES = { similarity: 0.5, coreSimilarity: 0.5, coverage: 0.5, related: 0.5 };

interface Written {
  answer: FinishedAnswer;
  deltas: string[];
  runtime: ScriptedRuntime;
}

interface Script {
  pieces: string[];
  question?: string;
  card?: Partial<ModelCard>;
  finishReason?: 'stop' | 'length';
  options?: GroundedRequest['options'];
}

function taskOf(script: Script, deltas: string[], card: ModelCard): AnswerTask {
  const text = script.question ?? 'How much does the kettle hold?';
  const request: GroundedRequest = {
    question: text,
    system: null,
    history: [],
    collections: [],
    topK: 5,
    options: script.options ?? {},
    card,
    signal: new AbortController().signal,
    account: { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: 'j' },
  };
  const unexpected = async (): Promise<void> => {
    throw new Error('Only deltas were expected.');
  };
  const delta = async (piece: string): Promise<void> => {
    deltas.push(piece);
  };
  const sink = { delta, citations: unexpected, reasoning: unexpected };
  return { request, question: readQuestion(text, []), earlier: [], sink };
}

async function writeFreely(script: Script, passages: Passage[] = PASSAGES): Promise<Written> {
  const card = chatCard(script.card);
  const runtime = new ScriptedRuntime(card, script.pieces, script.finishReason);
  const models = modelsOver(runtime);
  const deltas: string[] = [];
  const writer = new FreeAnswers(new AnswerGeneration(models, new ContextFit(models)));
  return { answer: await writer.write(taskOf(script, deltas, card), passages), deltas, runtime };
}

/** The first sentence of the first passage answers best; the others follow in their order. */
async function writeAsStarter(script: Script, grounds: Partial<Grounds> = {}): Promise<Written> {
  const card = chatCard({ grade: 'starter', ...script.card });
  const runtime = new ScriptedRuntime(card, script.pieces, script.finishReason);
  const models = modelsOver(runtime);
  const deltas: string[] = [];
  const writer = new StarterAnswers(new AnswerGeneration(models, new ContextFit(models)));
  const units = evidenceUnits(PASSAGES).map((unit, index) => ({
    ...unit,
    ...SCORES,
    score: 1 - index / 10,
  }));
  const answer = await writer.write(taskOf(script, deltas, card), { passages: PASSAGES, whole: false, units, ...grounds });
  return { answer, deltas, runtime };
}

/** Every span of every citation, as text. */
function supported({ answer }: Written): string[] {
  return answer.citations.flatMap(({ supports }) => supports.map(({ start, end }) => answer.content.slice(start, end)));
}

describe('answers written freely', () => {
  it('stream what the model says, and the deltas are the answer', async () => {
    const written = await writeFreely({ pieces: ['Good ', 'morning', '.'] }, []);
    expect(written.answer).toMatchObject({ content: 'Good morning.', citations: [], finishReason: 'stop', usage: { output_tokens: 3 } });
    expect(written.deltas.join('')).toBe('Good morning.');
    expect(written.deltas[0]).toBe('Good ');
  });

  it('hold back markers that name nothing, wherever the stream is cut', async () => {
    const written = await writeFreely({ pieces: ['The kettle holds 2 litres [', '1] [9', ']. The lid is oak [12', '].'] });
    expect(written.answer.content).toBe('The kettle holds 2 litres [1]. The lid is oak.');
    expect(written.deltas.join('')).toBe(written.answer.content);
  });

  it('cite by what the passages say, not by what the model claims', async () => {
    const written = await writeFreely({ pieces: ['The roof is painted green every 6 years [1].'] });
    const roof = written.answer.citations.find(({ document }) => document === 'roof.txt');
    expect(roof).toMatchObject({ index: 2, supports: [{ start: 0, end: written.answer.content.length }] });
    expect(written.answer.citations.find(({ document }) => document === 'kettle.txt')?.supports).toEqual([]);
  });

  it('keep markers in a conversation without documents', async () => {
    const written = await writeFreely({ pieces: ['See [7].'] }, []);
    expect(written.answer.content).toBe('See [7].');
  });

  it('pass the options on', async () => {
    const { runtime } = await writeFreely({ pieces: ['Yes.'], options: { temperature: 1.5, max_tokens: 7, seed: 3, stop: ['x'] } }, []);
    expect(runtime.requests[0]).toMatchObject({ temperature: 1.5, maxTokens: 7, seed: 3, stop: ['x'] });
  });
});

describe('answers of a starter model', () => {
  it('release supported sentences with their source, one by one', async () => {
    const written = await writeAsStarter({
      pieces: ['The kettle ', 'holds 2 litres.', ' It switches off', ' after 40 seconds without water.'],
    });
    expect(written.answer.content).toBe('The kettle holds 2 litres [1]. It switches off after 40 seconds without water [1].');
    expect(written.deltas).toHaveLength(2);
    expect(written.answer.citations).toMatchObject([{ index: 1, document: 'kettle.txt', page: 3 }]);
    expect(supported(written)).toEqual(['The kettle holds 2 litres [1].', 'It switches off after 40 seconds without water [1].']);
  });

  it('never tell something else of a sentence than what its name was asked for', async () => {
    const text = 'In May the board chose Zephyr for the pumps and sold the old mill.';
    const passages = [passageOf({ text, document: 'minutes.txt' })];
    const script = { pieces: ['The board sold the old mill.'], question: 'What did the board decide about Zephyr?' };
    const units = evidenceUnits(passages).map((unit) => ({ ...unit, ...SCORES, score: 1 }));
    const { answer } = await writeAsStarter(script, { passages, units });
    expect(answer.content).toBe(`From ‹minutes.txt› [1]: “${text}”`);
  });

  it('never send an invention, and quote the best passage instead', async () => {
    const written = await writeAsStarter({ pieces: ['The kettle holds 9 litres. ', 'It was invented by Nikola in Paris.'] });
    expect(written.answer.content).toBe(
      'From ‹kettle.txt›, p. 3 [1]: “The kettle holds 2 litres. It switches off after 40 seconds without water. The lid is made of oak.”',
    );
    expect(supported(written)).toEqual([written.answer.content]);
    expect(written.deltas.join('')).toBe(written.answer.content);
  });

  it('quote the best sentence beside a true one that answers something else', async () => {
    const written = await writeAsStarter({ pieces: ['Nobody may climb the roof in winter.'] });
    expect(written.answer.content).toMatch(/^From ‹kettle\.txt›/u);
  });

  it('do not release the same sentence twice, nor one that ran into the limit', async () => {
    const twice = 'The kettle holds 2 litres. ';
    const written = await writeAsStarter({ pieces: [twice, twice, 'It switches off after 40'], finishReason: 'length' });
    expect(written.answer.content.match(/holds 2 litres \[1\]\./gu)).toHaveLength(1);
    expect(written.answer.content).not.toMatch(/after 40$/u);
    expect(written.answer.finishReason).toBe('length');
  });

  it('speak by quotation, without the model, in a language that it does not know', async () => {
    const written = await writeAsStarter({ pieces: ['never'], question: 'Wie viel Wasser passt in den Kessel?' });
    expect(written.runtime.requests).toEqual([]);
    expect(written.answer.content).toMatch(/^Aus ‹kettle\.txt›, S\. 3 \[1\]: „The kettle holds 2 litres\./u);
  });

  it('tell what a document is about by its title and opening', async () => {
    const overview = passageOf({ kind: 'overview', document: 'roof.txt', heading: 'Roof care\nPainting\nClimbing', text: ROOF });
    const written = await writeAsStarter(
      { pieces: ['I like trains.'], question: 'What is this about?' },
      { passages: [overview], whole: true, units: [] },
    );
    expect(written.answer.content).toBe(
      'From ‹roof.txt› [1]: “Roof care. The roof is painted green every 6 years. Nobody may climb it in winter.”',
    );
    expect(supported(written)).toEqual([written.answer.content]);
  });
});

describe('ContextFit', () => {
  const turn = (role: 'user' | 'assistant', words: number) => ({ role, content: 'word '.repeat(words).trim() });
  const fit = (contextLength: number, history: ReturnType<typeof turn>[], passages: Passage[], system: string | null = null) => {
    const card = chatCard({ contextLength });
    const draft = { system, history, passages, question: 'Why?', starter: false };
    return new ContextFit(modelsOver(new ScriptedRuntime(card, []))).fit(card, draft, 10, new AbortController().signal);
  };
  const long = passageOf({ text: 'word '.repeat(40).trim() });

  it('lets the oldest turns go first, a question with its answer', async () => {
    const history = [turn('user', 20), turn('assistant', 20), turn('user', 5), turn('assistant', 5)];
    const { turns } = await fit(30, history, [], 'Be kind.');
    expect(turns.map(({ role, content }) => [role, content.split(' ').length])).toEqual([
      ['system', 2],
      ['user', 5],
      ['assistant', 5],
      ['user', 1],
    ]);
  });

  it('lets the worst passages go next, but one stays', async () => {
    const { passages, turns } = await fit(140, [turn('user', 5), turn('assistant', 5)], [long, long, long]);
    expect(passages).toHaveLength(1);
    expect(turns.filter(({ role }) => role === 'assistant')).toEqual([]);
  });

  it('fails when what must stay does not fit', async () => {
    await expect(fit(60, [], [long])).rejects.toMatchObject({ code: 'context_length_exceeded' });
    await expect(fit(12, [], [], 'Always be very kind.')).rejects.toMatchObject({ code: 'context_length_exceeded' });
  });
});
