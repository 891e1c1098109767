import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Queryable } from '@backing/postgres';
import { Audit } from '@features/audit';
import { Collections } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import { MembershipsRepository } from './memberships.repository';
import { WorkspacesRepository } from './workspaces.repository';

/** Makes workspaces with what each begins with: its owner and the collection `default`. */
@Injectable()
export class NewWorkspaces {
  constructor(
    private readonly workspaces: WorkspacesRepository,
    private readonly memberships: MembershipsRepository,
    private readonly collections: Collections,
    private readonly audit: Audit,
  ) {}

  /** Part of the caller's transaction. Answers its id. */
  async make(connection: Queryable, owner: Pick<Principal, 'userId' | 'keyId'>, name: string): Promise<string> {
    const id = v7();
    await this.workspaces.insert(connection, id, name, owner.userId);
    await this.memberships.insert(connection, id, owner.userId, 'owner');
    await this.collections.createDefault(connection, id, owner.userId);
    await this.audit.add(connection, { workspaceId: id, actor: owner, action: 'workspace.created', subject: { kind: 'workspace', id } });
    return id;
  }
}
