import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Audit } from '@features/audit';
import { Jobs } from '@features/jobs';
import type { Principal } from '@kernel/identity';
import { assertVersion } from './agent-version';
import { AgentsRepository } from './agents.repository';
import { Agents } from './agents.service';

/** Deletes agents. Errors: `not_found`, `precondition_failed`. */
@Injectable()
export class AgentRemoval {
  constructor(
    private readonly agents: Agents,
    private readonly repository: AgentsRepository,
    private readonly jobs: Jobs,
    private readonly postgres: PostgresClient,
    private readonly audit: Audit,
  ) {}

  /** Its open runs are cancelled; what has run stays with the snapshot of the agent. `versions` are those that the caller accepts; undefined: any. */
  async remove(principal: Principal, id: string, versions?: number[]): Promise<void> {
    const agent = await this.agents.get(principal, id);
    assertVersion(agent, versions);
    await this.jobs.cancelSubject(agent.id);
    const { workspaceId } = principal;
    await this.postgres.transaction(async (connection) => {
      await this.repository.delete(connection, agent.id);
      await this.audit.add(connection, {
        workspaceId,
        actor: principal,
        action: 'agent.deleted',
        subject: { kind: 'agent', id: agent.id },
      });
    });
    // A run that was accepted in between has lost its agent; its job must not go on.
    await this.jobs.cancelSubject(agent.id);
  }
}
