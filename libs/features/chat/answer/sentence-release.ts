import type { AnswerText } from './answer-text';
import type { EvidenceUnit } from './evidence-units';
import { likeness, termSet } from './likeness';
import type { Question } from './question';
import type { Grounds } from './retrieval.service';
import { STRICT, sameWords, supportOf } from './support';
import { terms } from './terms';
import type { RankedUnit } from './unit-score';

const MOST_SENTENCES = 3;
/** A sentence answers when it says what one of the best sentences of the best passage says. */
const ANSWERING_UNITS = 4;
const ANSWERING_SHARE = 0.75;
const SAME_NAME = 0.8;

/** Sends of what a model writes only the sentences that a passage supports and that speak of what was asked. */
export class SentenceRelease {
  private readonly sent: string[] = [];
  private readonly said = new Set<string>();
  private readonly inOrder: RankedUnit[];

  constructor(
    private readonly question: Question,
    private readonly grounds: Grounds,
    private readonly units: RankedUnit[],
    private readonly answer: AnswerText,
  ) {
    this.inOrder = [...units].sort((a, b) => a.passage - b.passage || a.place - b.place);
  }

  get full(): boolean {
    return this.sent.length >= MOST_SENTENCES;
  }

  /** Whether a sent sentence says what the unit says. */
  holds(unit: Place): boolean {
    return this.said.has(keyOf(unit));
  }

  async offer(written: string): Promise<void> {
    const sentence = withoutMarkers(written);
    const { language } = this.question;
    if (this.full || !isStatement(sentence) || this.sent.some((earlier) => sameWords(earlier, sentence, language))) return;
    const support = supportOf(sentence, language, this.inOrder, STRICT);
    const [first] = support?.units ?? [];
    if (support === undefined || first === undefined) return;
    if (!this.grounds.whole && !support.units.some((unit) => this.answers(unit))) return;
    if (this.passesOver(sentence, support.units)) return;
    this.sent.push(sentence);
    for (const unit of support.units) this.said.add(keyOf(unit));
    await this.answer.add(withMarker(sentence, first.passage + 1), [first.passage], ' ');
  }

  /** Whether the sentence is silent about a name of the question that its source speaks of: then it tells something else of what stands there. */
  private passesOver(sentence: string, source: EvidenceUnit[]): boolean {
    const said = termSet(terms(sentence, this.question.language), sentence);
    const names = this.question.content.filter((term) => term.name);
    return names.some((name) => source.some((unit) => likeness(name, unit.own) >= SAME_NAME) && likeness(name, said) < SAME_NAME);
  }

  private answers(unit: Place): boolean {
    const [best] = this.units;
    if (best === undefined || unit.passage !== best.passage) return false;
    const near = this.units.slice(0, ANSWERING_UNITS).filter((other) => other.score >= ANSWERING_SHARE * best.score);
    return near.some((other) => keyOf(other) === keyOf(unit));
  }
}

type Place = Pick<RankedUnit, 'passage' | 'place'>;

const keyOf = (unit: Place): string => `${unit.passage}:${unit.place}`;

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
