import { z } from 'zod';

const count = z.number().min(0).nullish();
const call = z.object({
  id: z.string().nullish(),
  function: z.object({ name: z.string().optional(), arguments: z.unknown() }).nullish(),
});

/** A line of a stream of `/api/chat` or `/api/generate`, as far as it is read. Everything else that a server puts into it is left behind. */
export const answerLine = z.object({
  message: z.object({ content: z.string().nullish(), thinking: z.string().nullish(), tool_calls: z.array(call).nullish() }).nullish(),
  response: z.string().nullish(),
  thinking: z.string().nullish(),
  done: z.boolean().nullish(),
  done_reason: z.string().nullish(),
  prompt_eval_count: count,
  prompt_eval_duration: count,
  eval_count: count,
  eval_duration: count,
});

export type AnswerLine = z.infer<typeof answerLine>;
