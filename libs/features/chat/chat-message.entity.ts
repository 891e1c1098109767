import type { JobFailure } from '@features/jobs';
import type { Citation } from './citation.entity';

export type MessageStatus = 'queued' | 'streaming' | 'complete' | 'failed' | 'cancelled';
export type FinishReason = 'stop' | 'length';

export interface MessageUsage {
  input_tokens: number;
  output_tokens: number;
  seconds: number;
}

/** What the asker thinks of an answer, in its wire form. */
export interface Feedback {
  rating: 'up' | 'down';
  note: string | null;
}

/** A turn of a conversation. `citations`, `usage` and `error` are stored in their wire form. */
export interface ChatMessage {
  id: string;
  sessionId: string;
  /** The message that it follows; several that follow the same one are siblings. */
  parentId: string | null;
  /** On the branch that the conversation goes on from: of the messages that follow the same one at most one is. */
  active: boolean;
  role: 'user' | 'assistant';
  content: string;
  reasoning: string | null;
  status: MessageStatus;
  error: JobFailure | null;
  citations: Citation[];
  usage: MessageUsage | null;
  model: string | null;
  finishReason: FinishReason | null;
  jobId: string | null;
  feedback: Feedback | null;
  createdAt: Date;
}

/** The message as clients see it, in answers and in the event `done`. */
export function messageView(message: ChatMessage) {
  return {
    id: message.id,
    session_id: message.sessionId,
    parent_id: message.parentId,
    active: message.active,
    role: message.role,
    content: message.content,
    reasoning: message.reasoning,
    status: message.status,
    error: message.error,
    citations: message.citations,
    usage: message.usage,
    model: message.model,
    finish_reason: message.finishReason,
    job_id: message.jobId,
    feedback: message.feedback,
    created_at: message.createdAt.toISOString(),
  };
}

export type MessageView = ReturnType<typeof messageView>;
