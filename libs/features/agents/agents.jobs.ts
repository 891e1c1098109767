import { defineJob } from '@kernel/jobs';
import { z } from 'zod';

const payload = z.strictObject({ run_id: z.uuid() });

export type AgentRunPayload = z.infer<typeof payload>;

/** One run of an agent; the snapshot, the input and the steps are rows, the job carries the id. */
export const agentsRun = defineJob<AgentRunPayload>('agents.run', payload, { needs: 'agents:run', maxAttempts: 20 });
