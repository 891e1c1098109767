import { defineJob } from '@kernel/jobs';
import { z } from 'zod';

export const MAX_CONTENT = 32_000;

export const chatOptionsSchema = z.strictObject({
  temperature: z.number().min(0).max(2).optional().meta({ description: 'How freely words are chosen; 0 is repeatable.' }),
  max_tokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .meta({ description: 'Most tokens of the answer; at most the context of the model.' }),
  seed: z.int().optional(),
  stop: z.array(z.string().min(1).max(200)).max(4).optional().meta({ description: 'Texts at which the answer ends.' }),
  think: z.boolean().optional().meta({ description: 'Thinking before the answer, by models with the capability `thinking` (false).' }),
});

const payload = z.strictObject({
  session_id: z.uuid(),
  question_id: z.uuid(),
  answer_id: z.uuid(),
  model: z.string(),
  collections: z.array(z.string()),
  top_k: z.int().min(1).max(20),
  options: chatOptionsSchema,
});

export type AnswerPayload = z.infer<typeof payload>;

/** Answers one question of a conversation; the texts are in the messages, the job carries ids. */
export const chatAnswer = defineJob<AnswerPayload>('chat.answer', payload, { needs: 'chat', maxAttempts: 5 });
