import type { JobFailure } from '@features/jobs';
import type { Citation } from './citation.entity';

export type MessageStatus = 'queued' | 'streaming' | 'complete' | 'failed' | 'cancelled';
export type FinishReason = 'stop' | 'length';

export interface MessageUsage {
  input_tokens: number;
  output_tokens: number;
  seconds: number;
}

/** A turn of a conversation. `citations`, `usage` and `error` are stored in their wire form. */
export interface ChatMessage {
  id: string;
  sessionId: string;
  parentId: string | null;
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
  feedback: object | null;
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
