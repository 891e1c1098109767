import {
  DEFAULT_LIMITS,
  MOST_LIMITS,
  STRATEGIES,
  stepView,
  runView,
  type Agent,
  type AgentInput,
  type AgentRun,
  type AgentStep,
} from '@features/agents';
import { ERROR_CODES, type ErrorCode } from '@kernel/errors';
import { z } from 'zod';
import { citationSchema } from '../chat/chat.schema';
import { listSchema } from '../http/page.schema';
import { jobSchema } from '../jobs/jobs.schema';

const MAX_TEXT = 32_000;
const MAX_CONTEXT = 64_000;

const name = z.string().trim().min(1).max(100);
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'must be the name of a tool');
const modelId = z.string().regex(/^[a-z0-9][a-z0-9._:-]{0,127}$/, 'must be the id of a model');
const collectionName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be the name of a collection');
const unique = (names: string[]): boolean => new Set(names).size === names.length;
const schemaObject = z
  .record(z.string(), z.unknown())
  .refine((schema) => JSON.stringify(schema).length <= 16_000, 'must be at most 16,000 characters of JSON');

const limit = (key: keyof typeof DEFAULT_LIMITS) => z.int().min(1).max(MOST_LIMITS[key]);
const limits = z
  .strictObject({
    steps: limit('steps')
      .optional()
      .meta({ description: `Decisions of the model (${DEFAULT_LIMITS.steps}).` }),
    tool_calls: limit('tool_calls')
      .optional()
      .meta({ description: `Calls of tools (${DEFAULT_LIMITS.tool_calls}).` }),
    tokens: limit('tokens')
      .optional()
      .meta({ description: `In and out, of all calls of the model (${DEFAULT_LIMITS.tokens}).` }),
    seconds: limit('seconds')
      .optional()
      .meta({ description: `Of work (${DEFAULT_LIMITS.seconds}).` }),
  })
  .meta({ id: 'AgentLimits' });

const fields = {
  strategy: z.enum(STRATEGIES).optional().meta({
    description:
      'tools: the model chooses the tools; research: the platform searches the collections, the model writes from what was found.',
  }),
  instructions: z.string().max(MAX_TEXT).optional(),
  model: modelId.nullable().optional().meta({ description: 'Null or absent: the default chat model.' }),
  tools: z.array(toolName).max(64).refine(unique, 'must not repeat a name').optional(),
  collections: z
    .array(collectionName)
    .max(16)
    .refine(unique, 'must not repeat a name')
    .optional()
    .meta({ description: 'What its tools may reach.' }),
  approval: z.array(toolName).max(64).optional().meta({ description: 'Must be empty in this release.' }),
  output_schema: schemaObject.nullable().optional().meta({ description: 'A JSON Schema that the answer satisfies.' }),
  limits: limits.optional(),
};

export const createAgentBody = z.strictObject({ name, ...fields }).meta({ id: 'CreateAgent' });
export type CreateAgentBody = z.infer<typeof createAgentBody>;

export const changeAgentBody = z.strictObject({ name: name.optional(), ...fields }).meta({ id: 'ChangeAgent' });
export type ChangeAgentBody = z.infer<typeof changeAgentBody>;

export const startRunBody = z
  .strictObject({
    input: z
      .string()
      .min(1)
      .max(MAX_TEXT)
      .refine((text) => text.trim() !== '', 'must not be blank'),
    session_id: z.uuid().toLowerCase().optional().meta({ description: 'A conversation that the agent is told.' }),
    context: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .refine((given) => JSON.stringify(given).length <= MAX_CONTEXT, `must be at most ${MAX_CONTEXT} characters`)
      .optional()
      .meta({ description: 'Text or an object that the agent is given beside the input.' }),
    visibility: z.enum(['private', 'workspace']).optional(),
  })
  .meta({ id: 'StartAgentRun' });
export type StartRunBody = z.infer<typeof startRunBody>;

const wholeLimits = z.object({ steps: z.int(), tool_calls: z.int(), tokens: z.int(), seconds: z.int() });
const agentMembers = {
  name: z.string(),
  strategy: z.enum(STRATEGIES),
  instructions: z.string(),
  model: z.string().nullable(),
  tools: z.array(z.string()),
  collections: z.array(z.string()),
  output_schema: z.looseObject({}).nullable(),
  limits: wholeLimits,
};

export const agentSchema = z
  .object({
    id: z.uuid(),
    ...agentMembers,
    approval: z.array(z.string()),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Agent' });
export const agentListSchema = listSchema('AgentList', agentSchema);

export const toolSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    parameters: z.looseObject({}).meta({ description: 'JSON Schema of the arguments.' }),
  })
  .meta({ id: 'AgentTool' });
export const toolListSchema = listSchema('AgentToolList', toolSchema);

const failure = z.object({ code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]), message: z.string(), retryable: z.boolean() });
const usage = z.object({ input_tokens: z.int(), output_tokens: z.int(), seconds: z.number() });

export const stepSchema = z
  .object({
    step: z.int(),
    kind: z.enum(['model', 'tool']),
    model: z.string().nullable().optional(),
    text: z.string().nullable().optional(),
    tool_calls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })).optional(),
    tool: z.string().nullable().optional(),
    arguments: z.unknown().optional(),
    result: z.unknown().optional(),
    error: z
      .object({ code: z.string(), message: z.string() })
      .optional()
      .meta({ description: 'Why the tool gave no result; the model was told.' }),
    usage,
    started_at: z.iso.datetime(),
    finished_at: z.iso.datetime(),
  })
  .meta({ id: 'AgentStep' });

const runMembers = {
  id: z.uuid(),
  agent_id: z.uuid().nullable(),
  agent: z.object({ id: z.uuid(), version: z.int(), ...agentMembers }).meta({ description: 'The agent as the run used it.' }),
  job_id: z.uuid(),
  retry_of: z.uuid().nullable(),
  visibility: z.enum(['private', 'workspace']),
  input: z.string(),
  context: z.unknown(),
  session_id: z.uuid().nullable(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  output: z.string().meta({ description: 'The answer, or as much of it as there was.' }),
  citations: z.array(citationSchema),
  error: failure.nullable(),
  created_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  finished_at: z.iso.datetime().nullable(),
};
export const runSchema = z.object(runMembers).meta({ id: 'AgentRun' });
export const runListSchema = listSchema('AgentRunList', runSchema);
export const runWithStepsSchema = z
  .object({ ...runMembers, usage: usage.extend({ model_calls: z.int(), tool_calls: z.int() }), steps: z.array(stepSchema) })
  .meta({ id: 'AgentRunWithSteps' });
export const acceptedRunSchema = z.object({ run: runSchema, job: jobSchema }).meta({ id: 'AcceptedAgentRun' });

/** The wire form of an agent. */
export function agentView(agent: Agent): z.infer<typeof agentSchema> {
  const { id, name: called, strategy, instructions, model, tools, collections, outputSchema, limits: given } = agent;
  return {
    id,
    name: called,
    strategy,
    instructions,
    model,
    tools,
    collections,
    approval: [],
    output_schema: outputSchema,
    limits: given,
    created_at: agent.createdAt.toISOString(),
    updated_at: agent.updatedAt.toISOString(),
  };
}

/** Only the members that were sent. */
export function agentInput<Body extends ChangeAgentBody>({ output_schema: outputSchema, ...rest }: Body): AgentInput & Pick<Body, 'name'> {
  const given = Object.entries({ ...rest, outputSchema }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as AgentInput & Pick<Body, 'name'>;
}

/** A run with its steps and what they used. */
export function runWithSteps(run: AgentRun, steps: AgentStep[]) {
  const sum = (member: 'inputTokens' | 'outputTokens' | 'seconds'): number => steps.reduce((total, step) => total + step[member], 0);
  const count = (kind: AgentStep['kind']): number => steps.filter((step) => step.kind === kind).length;
  const used = { input_tokens: sum('inputTokens'), output_tokens: sum('outputTokens'), seconds: sum('seconds') };
  return { ...runView(run), usage: { ...used, model_calls: count('model'), tool_calls: count('tool') }, steps: steps.map(stepView) };
}
