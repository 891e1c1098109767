import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import type { Passage } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { ChatTurn, ModelCard } from '@kernel/models';
import { turnsOf, type Draft } from './prompt';

export interface FittedPrompt {
  turns: ChatTurn[];
  /** Those that stayed. */
  passages: Passage[];
}

/**
 * Fits a prompt into a model's context, counted by its own tokenizer: the answer's tokens are reserved first, then the oldest turns leave, then
 * the worst passages; the system text, the question and one passage stay. Errors: `context_length_exceeded`.
 */
@Injectable()
export class ContextFit {
  constructor(private readonly models: Models) {}

  async fit(card: ModelCard, draft: Draft, maxTokens: number, signal: AbortSignal): Promise<FittedPrompt> {
    const room = card.contextLength - maxTokens;
    for (let current = draft; ; ) {
      const turns = turnsOf(current);
      if ((await this.models.countPromptTokens(card.id, turns, signal)) <= room) return { turns, passages: current.passages };
      if (current.history.length > 0) current = { ...current, history: withoutOldest(current.history) };
      else if (current.passages.length > 1) current = { ...current, passages: current.passages.slice(0, -1) };
      else throw tooLong(card, maxTokens);
    }
  }
}

/** A question leaves together with its answer. */
function withoutOldest(history: ChatTurn[]): ChatTurn[] {
  const next = history.findIndex((turn, index) => index > 0 && turn.role === 'user');
  return next < 0 ? [] : history.slice(next);
}

function tooLong(card: ModelCard, maxTokens: number): AppError {
  return new AppError(
    'context_length_exceeded',
    `The question does not fit: ${card.id} reads ${card.contextLength} tokens, of which ${maxTokens} are kept for the answer.`,
  );
}
