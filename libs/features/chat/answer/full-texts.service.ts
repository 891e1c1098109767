import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { Search, type Passage } from '@features/vectors';
import type { AnswerTask } from './answer-task';
import { answerTokens } from './answer-tokens';
import { turnsOf } from './prompt';

/** Passages of one prompt; longer documents are told about by their overviews. */
const MOST_PASSAGES = 200;

/**
 * Documents as they stand, for questions about them as a whole: all their passages in order, as far as the model's context has room for every one.
 * Starter models read few passages well and keep to overviews.
 */
@Injectable()
export class FullTexts {
  constructor(
    private readonly search: Search,
    private readonly models: Models,
  ) {}

  /** Empty when the documents do not fit beside the system text, the question and the answer; the history may give way. */
  async of({ request, question }: Pick<AnswerTask, 'request' | 'question'>, documentIds: string[]): Promise<Passage[]> {
    const { card, system, signal } = request;
    if (card.grade === 'starter') return [];
    const passages = once(await this.search.documents(documentIds, MOST_PASSAGES));
    if (passages.length === 0) return [];
    const turns = turnsOf({ system, history: [], passages, question: question.text, starter: false });
    const room = card.contextLength - answerTokens(request, false);
    return (await this.models.countPromptTokens(card.id, turns, signal)) <= room ? passages : [];
  }
}

/** Neighbours overlap: what the passage before holds already is left out, so that the text is there once. */
function once(passages: Passage[]): Passage[] {
  const ends = new Map<string, number>();
  return passages.flatMap((passage) => {
    const start = Math.max(passage.start, ends.get(passage.documentId) ?? 0);
    ends.set(passage.documentId, Math.max(start, passage.end));
    return start >= passage.end ? [] : [{ ...passage, start, text: passage.text.slice(start - passage.start) }];
  });
}
