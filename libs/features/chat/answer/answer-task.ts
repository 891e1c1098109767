import type { JobContext } from '@features/jobs';
import type { UsageAccount } from '@features/models';
import type { ModelCard } from '@kernel/models';
import type { AnswerPayload } from '../chat.jobs';
import type { FinishReason, MessageUsage } from '../chat-message.entity';
import type { Citation } from '../citation.entity';
import type { Conversation } from './conversation.service';
import type { Question } from './question';

/** One answer to be written. */
export interface AnswerTask {
  context: JobContext<AnswerPayload>;
  card: ModelCard;
  conversation: Conversation;
  question: Question;
  account: UsageAccount;
}

/** An answer as it is stored. */
export interface FinishedAnswer {
  content: string;
  citations: Citation[];
  usage: MessageUsage;
  finishReason: FinishReason;
}

export const NO_USAGE: MessageUsage = { input_tokens: 0, output_tokens: 0, seconds: 0 };
