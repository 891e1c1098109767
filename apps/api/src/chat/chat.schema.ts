import { chatOptionsSchema, MAX_CONTENT, type ChatSession, type Feedback, type NewQuestion, type SessionFields } from '@features/chat';
import { ERROR_CODES, type ErrorCode } from '@kernel/errors';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

const modelId = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,127}$/, 'must be the id of a model');
const collectionNames = z
  .array(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be the name of a collection'))
  .max(16)
  .meta({ description: 'Names of collections whose documents ground the answers.' });
const title = z.string().trim().min(1).max(200);
const system = z.string().min(1).max(MAX_CONTENT);
const visibility = z.enum(['private', 'workspace']);
const options = chatOptionsSchema.meta({ id: 'ChatOptions' });

export const createSessionBody = z
  .strictObject({
    title: title.optional(),
    model: modelId.optional(),
    system: system.optional().meta({ description: 'Standing instructions; they stay in the context whatever else has to leave.' }),
    collections: collectionNames.optional(),
    options: options.optional(),
    visibility: visibility.optional(),
  })
  .meta({ id: 'CreateChatSession' });
export type CreateSessionBody = z.infer<typeof createSessionBody>;

export const changeSessionBody = z
  .strictObject({
    title: title.nullable().optional(),
    model: modelId.nullable().optional(),
    system: system.nullable().optional(),
    collections: collectionNames.optional(),
    options: options.optional(),
    visibility: visibility.optional(),
  })
  .meta({ id: 'ChangeChatSession' });
export type ChangeSessionBody = z.infer<typeof changeSessionBody>;

export const sessionSchema = z
  .object({
    id: z.uuid(),
    title: z.string().nullable(),
    model: z.string().nullable(),
    system: z.string().nullable(),
    collections: z.array(z.string()),
    options,
    visibility,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'ChatSession' });

export const sessionListSchema = listSchema('ChatSessionList', sessionSchema);

export const askBody = z
  .strictObject({
    content: z
      .string()
      .min(1)
      .max(MAX_CONTENT)
      .refine((text) => text.trim() !== '', 'must not be blank'),
    parent_id: z.uuid().toLowerCase().nullable().optional().meta({
      description:
        'The message that the question follows, null for none. Unset: the last one. Another one begins a new branch, which becomes the active one.',
    }),
    model: modelId.optional(),
    collections: collectionNames.optional(),
    top_k: z.int().min(1).max(20).optional().meta({ description: 'Most passages for the answer (5).' }),
    options: options.optional(),
  })
  .meta({ id: 'AskQuestion' });
export type AskBody = z.infer<typeof askBody>;

export const regenerateBody = z
  .strictObject({ model: modelId.optional(), options: options.optional() })
  .optional()
  .meta({ id: 'RegenerateAnswer' });
export type RegenerateBody = z.infer<typeof regenerateBody>;

export const changeMessageBody = z.strictObject({ active: z.literal(true) }).meta({ id: 'ChangeChatMessage' });
export type ChangeMessageBody = z.infer<typeof changeMessageBody>;

export const feedbackBody = z
  .strictObject({ rating: z.enum(['up', 'down']), note: z.string().trim().min(1).max(2000).optional() })
  .meta({ id: 'RateAnswer' });
export type FeedbackBody = z.infer<typeof feedbackBody>;

export const askQuery = z.strictObject({
  wait: z.coerce.number().min(0).max(50).optional().meta({ description: 'Seconds to wait for the finished answer.' }),
});
export type AskQuery = z.infer<typeof askQuery>;

export const listMessagesQuery = pageQuery.extend({ order: z.enum(['asc', 'desc']).default('asc') });
export type ListMessagesQuery = z.infer<typeof listMessagesQuery>;

const span = z.object({ start: z.int(), end: z.int() });

export const citationSchema = z
  .object({
    index: z.int().meta({ description: 'The number by which markers such as [1] name it.' }),
    document_id: z.uuid(),
    document: z.string(),
    chunk_id: z.uuid(),
    page: z.int().optional(),
    start: z.int().meta({ description: 'UTF-16 code units of the extracted text.' }),
    end: z.int(),
    score: z.number(),
    quote: z.string().optional(),
    supports: z.array(span).meta({ description: 'Spans of the answer that this passage supports, computed by the platform.' }),
    deleted: z.literal(true).optional(),
  })
  .meta({ id: 'Citation' });

export const messageSchema = z
  .object({
    id: z.uuid(),
    session_id: z.uuid(),
    parent_id: z.uuid().nullable().meta({ description: 'The message that it follows; several that follow the same one are siblings.' }),
    active: z.boolean().meta({ description: 'On the branch from which the conversation goes on.' }),
    role: z.enum(['user', 'assistant']),
    content: z.string(),
    reasoning: z.string().nullable().meta({ description: 'What the model thought before it answered.' }),
    status: z.enum(['queued', 'streaming', 'complete', 'failed', 'cancelled']),
    error: z.object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string(), retryable: z.boolean() }).nullable(),
    citations: z.array(citationSchema),
    usage: z.object({ input_tokens: z.int(), output_tokens: z.int(), seconds: z.number() }).nullable(),
    model: z.string().nullable(),
    finish_reason: z.enum(['stop', 'length']).nullable(),
    job_id: z.uuid().nullable(),
    feedback: z.object({ rating: z.enum(['up', 'down']), note: z.string().nullable() }).nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'ChatMessage' });

export const messageListSchema = listSchema('ChatMessageList', messageSchema);

export const acceptedQuestionSchema = z
  .object({ message: messageSchema, answer: z.object({ id: z.uuid() }), job: jobSchema })
  .meta({ id: 'AcceptedQuestion' });

export const answeredQuestionSchema = z
  .object({ message: messageSchema, answer: messageSchema, job: jobSchema })
  .meta({ id: 'AnsweredQuestion' });

/** The wire form of a session. */
export function sessionView(session: ChatSession): z.infer<typeof sessionSchema> {
  return {
    id: session.id,
    title: session.title,
    model: session.model,
    system: session.system,
    collections: session.collections,
    options: session.options,
    visibility: session.visibility,
    created_at: session.createdAt.toISOString(),
    updated_at: session.updatedAt.toISOString(),
  };
}

/** Only the members that were sent. */
export function sessionFields(body: CreateSessionBody | ChangeSessionBody): Partial<SessionFields> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

export function questionOf(body: AskBody): NewQuestion {
  const { content, model, collections, options: wanted } = body;
  return { content, model, collections, options: wanted, parentId: body.parent_id, topK: body.top_k };
}

export function feedbackOf({ rating, note }: FeedbackBody): Feedback {
  return { rating, note: note ?? null };
}
