import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { PrincipalCache } from '../principals/principal-cache.service';
import { assertVersion } from './versions';
import { WorkspaceAuthority } from './workspace-authority.service';
import { WorkspacesRepository } from './workspaces.repository';

/** Closes workspaces for everybody in one transaction; what they hold goes afterwards. Errors: `not_found`, `forbidden`, `precondition_failed`. */
@Injectable()
export class WorkspaceClosing {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly workspaces: WorkspacesRepository,
    private readonly authority: WorkspaceAuthority,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  /** By an owner: from now on every token and key of the workspace is refused. */
  async close(principal: Principal, id: string, accepted?: number[]): Promise<void> {
    await this.postgres.transaction(async (connection) => {
      const { userId } = await this.authority.demandHeld(connection, principal, id, 'owner');
      const workspace = await this.workspaces.find(connection, id, userId);
      if (workspace === undefined) throw AppError.notFound('The workspace');
      assertVersion('The workspace', workspace.version, accepted);
      await this.shut(connection, principal, id);
    });
    this.forget(id);
  }

  /** In the transaction of somebody who has the right to, and who calls `forget` after it. */
  async shut(connection: Queryable, principal: Principal, id: string): Promise<void> {
    await this.workspaces.close(connection, id);
    await this.audit.add(connection, {
      workspaceId: id,
      actor: principal,
      action: 'workspace.deleted',
      subject: { kind: 'workspace', id },
    });
  }

  forget(id: string): void {
    this.principals.forget({ workspaceId: id });
  }

  /** Closed workspaces of which something is left. */
  closed(): Promise<string[]> {
    return this.workspaces.closed();
  }

  /** Removes the rest of a closed workspace; false while it still has collections. */
  remove(id: string): Promise<boolean> {
    return this.workspaces.remove(id);
  }
}
