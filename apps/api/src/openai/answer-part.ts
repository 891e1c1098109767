import type { Citation } from '@features/chat';
import type { ChatChunk } from '@kernel/models';

/** One piece of an answer on its way to a client: what a model says, or the passages that ground it. */
export type AnswerPart = ChatChunk | { type: 'citations'; citations: Citation[] };
