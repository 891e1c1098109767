import { Injectable } from '@nestjs/common';
import { NO_USAGE, type AnswerTask, type FinishedAnswer } from './answer-task';
import { AnswerText } from './answer-text';
import { AnswerGeneration, type Generated } from './generation.service';
import { bestQuotes, overviewQuote, type Quote } from './quotes';
import { unitsOf, type Grounds } from './retrieval.service';
import { SentenceCollector } from './sentence-collector';
import { SentenceRelease } from './sentence-release';
import type { RankedUnit } from './unit-score';

/** Small models read few passages well. */
const PROMPT_PASSAGES = 2;

/**
 * Writes grounded answers of starter models: of what the model writes only sentences go out that a passage supports and that speak of what was
 * asked; the best passage is quoted when they leave it out. In a language that the model does not know, the passages speak for themselves.
 */
@Injectable()
export class StarterAnswers {
  constructor(private readonly generation: AnswerGeneration) {}

  async write(task: AnswerTask, grounds: Grounds): Promise<FinishedAnswer> {
    const answer = new AnswerText(task.sink);
    const units = unitsOf(grounds);
    const release = new SentenceRelease(task.question, grounds, units, answer);
    const generated = speaks(task, grounds)
      ? await this.generate(task, grounds, release)
      : { reasoning: null, usage: NO_USAGE, finishReason: 'stop' as const };
    for (const quote of quotesOf(task, grounds, units)) {
      if (quote.best === undefined || !release.holds(quote.best)) await answer.add(quote.text, [quote.passage], '\n\n');
    }
    return { content: answer.content, citations: answer.citations(grounds.passages), ...generated };
  }

  private async generate(task: AnswerTask, grounds: Grounds, release: SentenceRelease): Promise<Generated> {
    const { system } = task.request;
    const passages = grounds.passages.slice(0, PROMPT_PASSAGES);
    const generation = await this.generation.start(task, { system, history: [], passages, question: standalone(task), starter: true });
    const collector = new SentenceCollector();
    for await (const text of generation.text) {
      for (const sentence of collector.push(text)) await release.offer(sentence);
      if (release.full) break;
    }
    const end = generation.end();
    // A sentence that ran into the limit is no sentence.
    const rest = end.finishReason === 'length' ? [] : collector.rest();
    for (const sentence of rest) await release.offer(sentence);
    return end;
  }
}

/** Several documents at once are more than a small model can tell about. */
function speaks({ request, question }: AnswerTask, grounds: Grounds): boolean {
  return request.card.languages.includes(question.language) && (!grounds.whole || grounds.passages.length === 1);
}

/** A follow-up stands in the prompt after the question that it continues. */
function standalone({ question, earlier }: AnswerTask): string {
  return question.followUp ? [...earlier.slice(-1), question.text].join(' ') : question.text;
}

function quotesOf({ question }: AnswerTask, grounds: Grounds, units: RankedUnit[]): Quote[] {
  if (!grounds.whole) return bestQuotes(question, grounds.passages, units);
  return grounds.passages.map((passage, index) => overviewQuote(question, passage, index, units));
}
