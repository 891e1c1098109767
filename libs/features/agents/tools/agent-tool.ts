import type { UsageAccount } from '@features/models';
import type { Collection } from '@features/vectors';
import type { ToolDefinition } from '@kernel/models';

/** What a call of a tool may reach, as of now. */
export interface ToolReach {
  workspaceId: string;
  /** Those of the agent that the workspace has. */
  collections: Collection[];
  account: UsageAccount;
  signal: AbortSignal;
}

/** Something that an agent may do. Arguments come checked by the schema in `definition`; an AppError of `run` is what the model is told. */
export abstract class AgentTool<Arguments = never> {
  abstract readonly definition: ToolDefinition;
  abstract run(given: Arguments, reach: ToolReach): Promise<unknown>;
}
