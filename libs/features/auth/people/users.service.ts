import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { Audit, type AuditAction } from '@features/audit';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { LoginsRepository } from '../logins/logins.repository';
import { assertVersion } from '../members/versions';
import { PrincipalCache } from '../principals/principal-cache.service';
import type { Person } from './account';
import { assertAdminStays } from './last-admin';
import { UsersRepository } from './users.repository';

export type PersonChange = Partial<Pick<Person, 'name' | 'status' | 'instanceAdmin'>>;

/**
 * The people of an instance, for its admins; everybody sees and names themselves. Suspending ends all logins at once here, within 5 s elsewhere.
 * Errors: `not_found` (to everybody else), `forbidden`, `conflict` (the last active instance admin), `precondition_failed`.
 */
@Injectable()
export class Users {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly users: UsersRepository,
    private readonly logins: LoginsRepository,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  /** Everybody; whether the caller is an instance admin is for the route to ask. */
  list(page: PageQuery): Promise<Page<Person>> {
    return this.users.page(page);
  }

  async get(principal: Principal, id: string): Promise<Person> {
    assertMaySee(principal, id);
    const person = await this.users.find(id);
    if (person === undefined) throw AppError.notFound('The user');
    return person;
  }

  async change(principal: Principal, id: string, change: PersonChange, accepted?: number[]): Promise<Person> {
    assertMaySee(principal, id);
    const governing = !isSelf(principal, id) || change.status !== undefined || change.instanceAdmin !== undefined;
    if (governing && !governs(principal)) throw new AppError('forbidden', 'status, instance_admin: these are for the instance admin.');
    const changed = await this.postgres.transaction(async (connection) => {
      const admins = await this.users.lockAdmins(connection);
      // Asked afresh: what the token stands for may be seconds old.
      if (governing && !admins.has(principal.userId)) throw new AppError('forbidden', 'This is for the instance admin.');
      const person = await this.users.lock(connection, id);
      if (person === undefined) throw AppError.notFound('The user');
      assertVersion('The user', person.version, accepted);
      const after = { ...person, ...change, version: person.version + 1 };
      assertAdminStays(admins, { id, stays: after.status === 'active' && after.instanceAdmin });
      await this.users.update(connection, id, after);
      if (after.status === 'suspended') await this.logins.revokeAll(connection, id, 'suspended');
      await this.write(connection, principal, person, after);
      return after;
    });
    // Whose keys are bounded by this person's rights is not remembered with them.
    this.principals.forget({});
    return changed;
  }

  private async write(connection: Queryable, actor: Principal, before: Person, after: Person): Promise<void> {
    const subject = { kind: 'user', id: before.id };
    const entry = (action: AuditAction, details?: { instance_admin?: boolean; fields?: string }) =>
      this.audit.add(connection, { workspaceId: null, actor, action, subject, details });
    if (before.status !== after.status) await entry(after.status === 'suspended' ? 'user.suspended' : 'user.resumed');
    if (before.instanceAdmin !== after.instanceAdmin)
      await entry('user.changed', { fields: 'instance_admin', instance_admin: after.instanceAdmin });
    if (before.name !== after.name) await entry('user.changed', { fields: 'name' });
  }
}

/** A key governs the instance only when it was made for administration. */
const governs = ({ instanceAdmin, kind, scopes }: Principal): boolean => instanceAdmin && (kind === 'user' || scopes.has('admin'));
const isSelf = ({ kind, userId }: Principal, id: string): boolean => kind === 'user' && userId === id;

function assertMaySee(principal: Principal, id: string): void {
  if (!isSelf(principal, id) && !governs(principal)) throw AppError.notFound('The user');
}
