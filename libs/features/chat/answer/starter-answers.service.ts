import { Injectable } from '@nestjs/common';
import { DeltaWriter } from '@features/jobs';
import type { AnswerTask, FinishedAnswer } from './answer-task';
import { NO_USAGE } from './answer-task';
import { AnswerText } from './answer-text';
import { AnswerGeneration, type Generated } from './generation.service';
import type { RankedUnit } from './evidence.service';
import { bestQuotes, overviewQuote, type Quote } from './quotes';
import { unitsOf, type Grounds } from './retrieval.service';
import { SentenceCollector } from './sentence-collector';
import { STRICT, sameWords, supportOf } from './support';

/** Small models read few passages well. */
const PROMPT_PASSAGES = 2;
const MOST_SENTENCES = 3;
/** A sentence answers when it says what one of the best sentences of the best passage says. */
const ANSWERING_UNITS = 4;
const ANSWERING_SHARE = 0.75;

/**
 * Writes grounded answers of starter models: of what the model writes only sentences go out that a passage supports and that speak of what was
 * asked; the best passage is quoted when they leave it out. In a language that the model does not know, the passages speak for themselves.
 */
@Injectable()
export class StarterAnswers {
  constructor(private readonly generation: AnswerGeneration) {}

  async write(task: AnswerTask, grounds: Grounds): Promise<FinishedAnswer> {
    const answer = new AnswerText(new DeltaWriter(task.context));
    const units = unitsOf(grounds);
    const released: Released = { sentences: [], units: new Set() };
    const speaks = task.card.languages.includes(task.question.language) && (!grounds.whole || grounds.passages.length === 1);
    const generated = speaks
      ? await this.generate(task, grounds, units, answer, released)
      : { usage: NO_USAGE, finishReason: 'stop' as const };
    for (const quote of quotesOf(task, grounds, units)) {
      if (isNew(quote, released)) await answer.add(quote.text, [quote.passage], '\n\n');
    }
    await answer.flush();
    return { content: answer.content, citations: answer.citations(grounds.passages), ...generated };
  }

  private async generate(
    task: AnswerTask,
    grounds: Grounds,
    units: RankedUnit[],
    answer: AnswerText,
    released: Released,
  ): Promise<Generated> {
    const draft = {
      system: task.conversation.session.system,
      history: [],
      passages: grounds.passages.slice(0, PROMPT_PASSAGES),
      question: standalone(task),
      starter: true,
    };
    const generation = await this.generation.start(task, draft);
    const collector = new SentenceCollector();
    for await (const text of generation.text) {
      for (const sentence of collector.push(text)) await this.release(sentence, task, grounds, units, answer, released);
      if (released.sentences.length >= MOST_SENTENCES) break;
    }
    const end = generation.end();
    // A sentence that ran into the limit is no sentence.
    const rest = end.finishReason === 'length' ? [] : collector.rest();
    for (const sentence of rest) await this.release(sentence, task, grounds, units, answer, released);
    return end;
  }

  private async release(
    written: string,
    task: AnswerTask,
    grounds: Grounds,
    units: RankedUnit[],
    answer: AnswerText,
    released: Released,
  ): Promise<void> {
    const { language } = task.question;
    const sentence = withoutMarkers(written);
    if (!isStatement(sentence) || released.sentences.length >= MOST_SENTENCES) return;
    if (released.sentences.some((earlier) => sameWords(earlier, sentence, language))) return;
    const support = supportOf(sentence, language, inOrder(units), STRICT);
    const [first] = support?.units ?? [];
    if (support === undefined || first === undefined) return;
    if (!grounds.whole && !support.units.some((unit) => answersQuestion(unit, units))) return;
    released.sentences.push(sentence);
    for (const unit of support.units) released.units.add(keyOf(unit));
    await answer.add(withMarker(sentence, first.passage + 1), [first.passage], ' ');
    await answer.flush();
  }
}

interface Released {
  sentences: string[];
  units: Set<string>;
}

type Place = Pick<RankedUnit, 'passage' | 'place'>;

const keyOf = (unit: Place): string => `${unit.passage}:${unit.place}`;

/** A follow-up stands in the prompt after the question that it continues. */
function standalone({ question, conversation }: AnswerTask): string {
  return question.followUp ? [...conversation.earlier.slice(-1), question.text].join(' ') : question.text;
}

function inOrder(units: RankedUnit[]): RankedUnit[] {
  return [...units].sort((a, b) => a.passage - b.passage || a.place - b.place);
}

function answersQuestion(unit: Place, ranked: RankedUnit[]): boolean {
  const [best] = ranked;
  if (best === undefined || unit.passage !== best.passage) return false;
  return ranked.slice(0, ANSWERING_UNITS).some((other) => keyOf(other) === keyOf(unit) && other.score >= ANSWERING_SHARE * best.score);
}

function quotesOf({ question }: AnswerTask, grounds: Grounds, units: RankedUnit[]): Quote[] {
  if (!grounds.whole) return bestQuotes(question, grounds.passages, units);
  return grounds.passages.map((passage, index) => overviewQuote(question, passage, index, units));
}

/** What a released sentence has said already is not quoted again. */
function isNew(quote: Quote, released: Released): boolean {
  return quote.best === undefined || !released.units.has(keyOf(quote.best));
}

/** Small models repeat the question; that is no answer. */
function isStatement(sentence: string): boolean {
  return sentence !== '' && !/[?？]$|^Question:/u.test(sentence);
}

function withoutMarkers(sentence: string): string {
  return sentence
    .replace(/\s*\[[\d,\s]*\]/gu, '')
    .replace(/^(?:Answer:|A:)\s*/iu, '')
    .trim();
}

/** `… at noon [1].` */
function withMarker(sentence: string, index: number): string {
  const end = /[.!?。！？]+["”»」)]*$/u.exec(sentence)?.[0] ?? '';
  return `${sentence.slice(0, sentence.length - end.length)} [${index}]${end === '' ? '.' : end}`;
}
