import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '@backing/postgres';
import { Models } from '@features/models';
import { Collections } from '@features/vectors';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { assertAnswerSchema } from '@kernel/models';
import type { Page, PageQuery } from '@kernel/paging';
import { DEFAULT_LIMITS, type Agent, type AgentFields, type AgentLimits } from './agent.entity';
import { assertVersion, changedMeanwhile } from './agent-version';
import { AgentsRepository } from './agents.repository';
import { READY_MADE } from './ready-made';
import { ToolBox } from './tools/tool-box.service';

/** Limits may be given in part; `approval` is part of the contract but nothing waits for approval yet. */
export type AgentInput = Partial<Omit<AgentFields, 'limits'>> & { limits?: Partial<AgentLimits>; approval?: string[] };

const EMPTY: Omit<AgentFields, 'name'> = {
  strategy: 'tools',
  instructions: '',
  model: null,
  tools: [],
  collections: [],
  outputSchema: null,
  limits: DEFAULT_LIMITS,
};

/**
 * Agents, shared by the members of a workspace; each workspace begins with a ready-made one.
 * Errors: `not_found` (agent, collection), `invalid` (model, tool, schema, approval), `conflict` (name taken), `precondition_failed` (`If-Match`).
 */
@Injectable()
export class Agents {
  private readonly furnished = new Set<string>();

  constructor(
    private readonly repository: AgentsRepository,
    private readonly models: Models,
    private readonly collections: Collections,
    private readonly toolBox: ToolBox,
  ) {}

  async create(principal: Principal, { approval, ...input }: AgentInput & { name: string }): Promise<Agent> {
    const fields = { ...EMPTY, ...input, limits: { ...DEFAULT_LIMITS, ...input.limits } };
    await this.assertValid(principal, fields, approval);
    await this.furnish(principal.workspaceId);
    return named(() => this.repository.insert(principal.workspaceId, principal.userId, fields));
  }

  async get(principal: Principal, id: string): Promise<Agent> {
    const agent = await this.repository.find(principal.workspaceId, id);
    if (agent === undefined) throw AppError.notFound('The agent');
    return agent;
  }

  async getByName(principal: Principal, name: string): Promise<Agent> {
    await this.furnish(principal.workspaceId);
    const agent = await this.repository.findByName(principal.workspaceId, name);
    if (agent === undefined) throw AppError.notFound(`The agent '${name}'`);
    return agent;
  }

  async list(principal: Principal, page: PageQuery): Promise<Page<Agent>> {
    await this.furnish(principal.workspaceId);
    return this.repository.list(principal.workspaceId, page);
  }

  /** `versions` are those that the caller accepts (`If-Match`); undefined: any. */
  async change(principal: Principal, id: string, { approval, ...input }: AgentInput, versions?: number[]): Promise<Agent> {
    const agent = await this.get(principal, id);
    assertVersion(agent, versions);
    const fields = { ...agent, ...input, limits: { ...agent.limits, ...input.limits } };
    await this.assertValid(principal, fields, approval);
    const changed = await named(() => this.repository.update(agent, fields));
    if (changed === undefined) throw changedMeanwhile();
    return changed;
  }

  /** Also for workspaces that are older than agents; remembered, so that it costs one statement for each workspace and process. */
  private async furnish(workspaceId: string): Promise<void> {
    if (this.furnished.has(workspaceId)) return;
    await named(() => this.repository.insertFirst(workspaceId, READY_MADE)).catch((error: unknown) => {
      // Somebody has an agent of this name already: then the workspace has what it needs.
      if (!(error instanceof AppError && error.code === 'conflict')) throw error;
    });
    this.furnished.add(workspaceId);
  }

  private async assertValid(principal: Principal, fields: AgentFields, approval: string[] = []): Promise<void> {
    if (approval.length > 0) throw AppError.field('invalid', 'approval', 'approvals are not supported yet; leave the list empty.');
    for (const [index, name] of fields.tools.entries()) {
      if (!this.toolBox.has(name)) throw AppError.field('invalid', `tools[${index}]`, `there is no tool ${name}.`);
    }
    if (fields.strategy === 'research') assertResearch(fields);
    if (fields.outputSchema !== null) assertAnswerSchema(fields.outputSchema, 'output_schema');
    await this.collections.resolve(principal.workspaceId, fields.collections);
    if (fields.model === null) return;
    const card = (await this.models.list()).find(({ id }) => id === fields.model);
    if (card?.kind !== 'chat') throw AppError.field('invalid', 'model', `there is no chat model ${fields.model}.`);
  }
}

function assertResearch({ tools, collections, outputSchema }: AgentFields): void {
  if (!tools.includes('search_collection')) throw AppError.field('invalid', 'tools', 'research needs the tool search_collection.');
  if (collections.length === 0) throw AppError.field('invalid', 'collections', 'research needs a collection.');
  if (outputSchema !== null) throw AppError.field('invalid', 'output_schema', 'a research agent answers in text.');
}

async function named<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isUniqueViolation(error, 'agents_name')) throw new AppError('conflict', 'name: the workspace has an agent of this name.');
    throw error;
  }
}
