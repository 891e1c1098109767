import { defineJob } from '@kernel/jobs';
import { z } from 'zod';

/** Brings a model to a runtime. Downloads break: it may begin often, and goes on where it was. */
export const pullModel = defineJob(
  'models.pull',
  z.strictObject({
    /** The platform's id. */
    model: z.string().min(1),
    runtime: z.enum(['ollama', 'llama.cpp']),
    /** As that runtime calls it. */
    name: z.string().min(1),
    /** Of the weights, when who pulls knows it: others are not kept. */
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .optional(),
  }),
  { needs: 'models:write', maxAttempts: 10 },
);
export type PullModel = z.infer<typeof pullModel.payload>;
