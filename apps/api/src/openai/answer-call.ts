import type { UsageAccount } from '@features/models';
import type { ModelCard } from '@kernel/models';
import type { CallWatch } from './call-watch';
import type { ChatCompletionBody } from './chat-completions.schema';

/** One call of the chat: what was asked, of whom, on whose account, for which client. */
export interface AnswerCall {
  body: ChatCompletionBody;
  card: ModelCard;
  account: UsageAccount;
  watch: CallWatch;
}
