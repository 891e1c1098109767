import type { AnswerPayload } from './chat.jobs';
import type { ChatOptions } from './chat-session.entity';

/** What a caller wants of an answer. */
export interface NewAnswer {
  model?: string;
  options?: ChatOptions;
}

export interface NewQuestion extends NewAnswer {
  content: string;
  /** The message that it follows, null: none; unset: the end of the active branch. */
  parentId?: string | null;
  collections?: string[];
  topK?: number;
}

/** What was accepted. */
export interface AskedQuestion {
  messageId: string;
  answerId: string;
  jobId: string;
}

/** How an answer is to be made. */
export type AnswerPlan = Pick<AnswerPayload, 'model' | 'collections' | 'top_k' | 'options'>;
