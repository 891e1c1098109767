import type { JobFailure } from '@features/jobs';
import type { Citation } from '@features/chat';
import type { ChatTurn, ToolCall } from '@kernel/models';
import type { AgentSnapshot } from './agent.entity';

export type RunStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** A run of an agent; `output` is its answer, or as much of it as there was. */
export interface AgentRun {
  id: string;
  workspaceId: string;
  ownerId: string;
  agentId: string | null;
  jobId: string;
  retryOf: string | null;
  visibility: 'private' | 'workspace';
  agent: AgentSnapshot;
  input: string;
  context: unknown;
  sessionId: string | null;
  history: ChatTurn[];
  status: RunStatus;
  output: string;
  citations: Citation[];
  error: JobFailure | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** Why a tool gave no result; the model sees it and may try otherwise. */
export interface ToolFailure {
  code: string;
  message: string;
}

/** A finished step: a call of the model, or a call of a tool. */
export interface AgentStep {
  /** 1, 2, 3 … within the run. */
  step: number;
  kind: 'model' | 'tool';
  /** model */
  model: string | null;
  text: string | null;
  calls: ToolCall[] | null;
  /** tool; `callId` is null when the platform planned the call. */
  callId: string | null;
  tool: string | null;
  arguments: unknown;
  result: unknown;
  error: ToolFailure | null;
  inputTokens: number;
  outputTokens: number;
  seconds: number;
  startedAt: Date;
  finishedAt: Date;
}

export type NewStep = Partial<Omit<AgentStep, 'step' | 'finishedAt' | 'seconds'>> & Pick<AgentStep, 'kind' | 'startedAt'>;

/** The run as clients see it. */
export function runView(run: AgentRun) {
  return {
    id: run.id,
    agent_id: run.agentId,
    agent: snapshotView(run.agent),
    job_id: run.jobId,
    retry_of: run.retryOf,
    visibility: run.visibility,
    input: run.input,
    context: run.context,
    session_id: run.sessionId,
    status: run.status,
    output: run.output,
    citations: run.citations,
    error: run.error,
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    finished_at: run.finishedAt?.toISOString() ?? null,
  };
}

export type RunView = ReturnType<typeof runView>;

function snapshotView({ id, version, name, strategy, instructions, model, tools, collections, outputSchema, limits }: AgentSnapshot) {
  return { id, version, name, strategy, instructions, model, tools, collections, output_schema: outputSchema, limits };
}

/** A step as clients see it; only what its kind has. */
export function stepView(step: AgentStep) {
  const { inputTokens: input_tokens, outputTokens: output_tokens, seconds } = step;
  return {
    step: step.step,
    kind: step.kind,
    ...(step.kind === 'model'
      ? {
          model: step.model,
          text: step.text,
          tool_calls: (step.calls ?? []).map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
        }
      : { tool: step.tool, arguments: step.arguments, ...(step.error === null ? { result: step.result } : { error: step.error }) }),
    usage: { input_tokens, output_tokens, seconds },
    started_at: step.startedAt.toISOString(),
    finished_at: step.finishedAt.toISOString(),
  };
}
