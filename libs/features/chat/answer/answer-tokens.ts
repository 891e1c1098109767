import type { GroundedRequest } from './answer-task';

const STARTER_TOKENS = 160;
const TOKENS = 1_024;
/** The answer takes no more than this share of the context unless it is asked to. */
const CONTEXT_SHARE = 4;

/** Most tokens of an answer; `brief` are the grounded answers of starter models. */
export function answerTokens({ options, card }: Pick<GroundedRequest, 'options' | 'card'>, brief: boolean): number {
  return options.max_tokens ?? (brief ? STARTER_TOKENS : Math.min(TOKENS, Math.floor(card.contextLength / CONTEXT_SHARE)));
}
