import type { UsageAccount } from '@features/models';
import type { Collection } from '@features/vectors';
import type { ChatTurn, ModelCard } from '@kernel/models';
import type { FinishReason, MessageUsage } from '../chat-message.entity';
import type { ChatOptions } from '../chat-session.entity';
import type { Citation } from '../citation.entity';
import type { Question } from './question';

/** A question with everything that its answer may use; the caller has checked access and capabilities. */
export interface GroundedRequest {
  question: string;
  /** Earlier questions with their answers, oldest first. */
  history: ChatTurn[];
  system: string | null;
  /** None: the model answers from the conversation alone. */
  collections: Collection[];
  /** Most passages. */
  topK: number;
  options: ChatOptions & { top_p?: number };
  card: ModelCard;
  signal: AbortSignal;
  account: UsageAccount;
  /** The user's earlier questions, oldest first; unset: those of `history`. */
  earlier?: string[];
  /** Documents that the last answer cited: "summarise it" means these. */
  citedDocuments?: string[];
}

/** Where an answer goes while it is made. What was given is never taken back; a rejection stops the answer. */
export interface AnswerSink {
  /** Before the first text what was given to the model (no supports), and once more after the last (final). Never without collections. */
  citations(list: Citation[], final: boolean): Promise<void>;
  delta(text: string): Promise<void>;
  reasoning(text: string): Promise<void>;
}

/** One answer to be written. */
export interface AnswerTask {
  request: GroundedRequest;
  question: Question;
  earlier: string[];
  sink: AnswerSink;
}

/** An answer as it is stored; all deltas joined are `content`. */
export interface FinishedAnswer {
  content: string;
  /** What the model thought before; null when it did not think aloud. */
  reasoning: string | null;
  citations: Citation[];
  usage: MessageUsage;
  finishReason: FinishReason;
}

export const NO_USAGE: MessageUsage = { input_tokens: 0, output_tokens: 0, seconds: 0 };
