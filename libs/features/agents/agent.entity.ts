/** How an agent works: `tools`: its model chooses the tools; `research`: the platform searches, the model writes from what was found. */
export const STRATEGIES = ['tools', 'research'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** A run that reaches one of these ends with `budget_exhausted`. */
export interface AgentLimits {
  /** Decisions: calls of the model, and searches that the platform planned. */
  steps: number;
  tool_calls: number;
  /** In and out, of all calls of the model. */
  tokens: number;
  /** Of work; the time in a queue does not count. */
  seconds: number;
}

export const DEFAULT_LIMITS: AgentLimits = { steps: 12, tool_calls: 24, tokens: 50_000, seconds: 600 };
export const MOST_LIMITS: AgentLimits = { steps: 100, tool_calls: 200, tokens: 1_000_000, seconds: 3_600 };

/** What a caller may set. */
export interface AgentFields {
  name: string;
  strategy: Strategy;
  instructions: string;
  /** Null: the default chat model. */
  model: string | null;
  /** Names of the tools that it may use. */
  tools: string[];
  /** Names of the collections that its tools may reach. */
  collections: string[];
  /** A JSON Schema that the answer satisfies. */
  outputSchema: Record<string, unknown> | null;
  limits: AgentLimits;
}

/** An agent of a workspace. */
export interface Agent extends AgentFields {
  id: string;
  workspaceId: string;
  /** Null: made with the workspace. */
  ownerId: string | null;
  /** Raised by every change; the ETag. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** The agent as a run uses it, whatever happens to the agent; `model` is the one that was resolved. */
export type AgentSnapshot = AgentFields & { id: string; version: number; model: string };
