import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { NewWorkspaces } from './new-workspaces.service';
import { assertVersion } from './versions';
import type { Workspace } from './workspace';
import { WorkspaceAuthority, demandAdminScope } from './workspace-authority.service';
import { WorkspacesRepository } from './workspaces.repository';

/** Workspaces that one person may be in. */
const MOST_WORKSPACES = 100;

/**
 * The workspaces that a caller is in. Errors: `not_found` (not a member), `forbidden` (role; a key that makes one), `conflict` (too many),
 * `precondition_failed` (`If-Match`).
 */
@Injectable()
export class Workspaces {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly workspaces: WorkspacesRepository,
    private readonly authority: WorkspaceAuthority,
    private readonly newWorkspaces: NewWorkspaces,
    private readonly audit: Audit,
  ) {}

  async create(principal: Principal, name: string): Promise<Workspace> {
    if (principal.kind !== 'user') throw new AppError('forbidden', 'A workspace is made by a person, with an access token.');
    return this.postgres.transaction(async (connection) => {
      if ((await this.workspaces.countOf(connection, principal.userId)) >= MOST_WORKSPACES)
        throw new AppError('conflict', `You are in ${MOST_WORKSPACES} workspaces already, the most that one person may be in.`);
      return this.seen(connection, await this.newWorkspaces.make(connection, principal, name), principal.userId);
    });
  }

  /** A key sees its own workspace alone. */
  async list(principal: Principal, page: PageQuery): Promise<Page<Workspace>> {
    if (principal.kind === 'user') return this.workspaces.page(principal.userId, undefined, page);
    demandAdminScope(principal);
    const { userId } = await this.authority.demand(this.postgres, principal, principal.workspaceId);
    return this.workspaces.page(userId, principal.workspaceId, page);
  }

  async get(principal: Principal, id: string): Promise<Workspace> {
    const { userId } = await this.authority.demand(this.postgres, principal, id);
    return this.seen(this.postgres, id, userId);
  }

  async rename(principal: Principal, id: string, name: string, accepted?: number[]): Promise<Workspace> {
    return this.postgres.transaction(async (connection) => {
      const { userId } = await this.authority.demandHeld(connection, principal, id, 'admin');
      assertVersion('The workspace', (await this.seen(connection, id, userId)).version, accepted);
      await this.workspaces.rename(connection, id, name);
      await this.audit.add(connection, {
        workspaceId: id,
        actor: principal,
        action: 'workspace.changed',
        subject: { kind: 'workspace', id },
        details: { fields: 'name' },
      });
      return this.seen(connection, id, userId);
    });
  }

  private async seen(connection: Queryable, id: string, userId: string): Promise<Workspace> {
    const workspace = await this.workspaces.find(connection, id, userId);
    if (workspace === undefined) throw AppError.notFound('The workspace');
    return workspace;
  }
}
