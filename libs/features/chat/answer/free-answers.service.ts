import { Injectable } from '@nestjs/common';
import { sentences, type Passage } from '@features/vectors';
import type { AnswerTask, FinishedAnswer } from './answer-task';
import { AnswerText } from './answer-text';
import { evidenceUnits } from './evidence-units';
import { AnswerGeneration } from './generation.service';
import { MarkerFilter } from './marker.filter';
import { SOURCE, supportOf } from './support';

const MARKERS = /\s*\[[\d,\s]*\]/gu;

/** Writes answers token by token: a conversation without documents, or a grounded answer of a model that is more than a starter. */
@Injectable()
export class FreeAnswers {
  constructor(private readonly generation: AnswerGeneration) {}

  async write(task: AnswerTask, passages: Passage[]): Promise<FinishedAnswer> {
    const { system, history } = task.request;
    const draft = { system, history, passages, question: task.question.text, starter: false };
    const generation = await this.generation.start(task, draft);
    const answer = new AnswerText(task.sink);
    await this.stream(generation.text, answer, passages.length > 0 ? new MarkerFilter(generation.passages.length) : undefined);
    const generated = generation.end();
    this.findSources(answer, task.question.language, generation.passages);
    return { content: answer.content, citations: answer.citations(generation.passages), ...generated };
  }

  private async stream(text: AsyncIterable<string>, answer: AnswerText, markers: MarkerFilter | undefined): Promise<void> {
    for await (const piece of text) {
      const shown = markers === undefined ? piece : markers.push(piece);
      if (shown !== '') await answer.write(shown);
    }
    const held = markers?.end() ?? '';
    if (held !== '') await answer.write(held);
  }

  /** Which passage stands behind which sentence; the model's own markers prove nothing. */
  private findSources(answer: AnswerText, language: string, passages: Passage[]): void {
    if (passages.length === 0) return;
    const units = evidenceUnits(passages);
    for (const { start, end } of sentences(answer.content)) {
      const said = answer.content.slice(start, end).replace(MARKERS, '');
      const support = supportOf(said, language, units, SOURCE);
      const [unit] = support?.units ?? [];
      if (unit !== undefined) answer.support(unit.passage, { start, end });
    }
  }
}
