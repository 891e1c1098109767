// Guards of teams: who comes last, who comes back, and what was remembered for a moment.
const spec = 'cases/teams';
const users = 'libs/features/auth/people/users.service.ts';

module.exports = [
  {
    guard: 'last-owner-stays',
    file: 'libs/features/auth/members/members.service.ts',
    find: 'if (!(await this.memberships.ownedWithout(connection, workspaceId, member.id)))',
    replace: 'if (member.id === workspaceId)',
    spec,
    cases: ['F02'],
  },
  {
    guard: 'last-instance-admin-stays',
    file: 'libs/features/auth/people/last-admin.ts',
    find: '!stays && admins.has(id) && admins.size === 1',
    replace: '!stays && admins.has(id) && admins.size === 0',
    spec,
    cases: ['F02'],
  },
  {
    guard: 'instance-admin-asked-afresh',
    file: users,
    find: 'if (governing && !admins.has(principal.userId)) throw',
    replace: 'if (governing && admins.size === 0) throw',
    spec,
    cases: ['F02'],
  },
  {
    guard: 'key-in-its-own-workspace',
    file: 'libs/features/auth/members/workspace-authority.service.ts',
    find: 'if (principal.workspaceId !== workspaceId) return undefined;',
    replace: '',
    spec,
    cases: ['F08'],
  },
  {
    guard: 'membership-ends-keys',
    file: 'libs/features/auth/members/memberships.repository.ts',
    find: 'AND coalesce(made_by, owner_id) = ${userId}::uuid AND revoked_at IS NULL`',
    replace: 'AND coalesce(made_by, owner_id) = ${userId}::uuid AND false`',
    spec,
    cases: ['E20'],
  },
  {
    guard: 'invitation-of-the-invited',
    file: 'libs/features/auth/registration/registration.service.ts',
    find: 'if (invitation?.email !== email)',
    replace: 'if (invitation === undefined)',
    spec,
    cases: ['F02'],
  },
  {
    guard: 'reset-runs-out',
    file: 'libs/features/auth/resets/resets.repository.ts',
    find: 'used_at IS NULL AND expires_at > now()',
    replace: 'used_at IS NULL',
    spec: 'cases/recovery',
    cases: ['G05'],
  },
  {
    guard: 'invitation-runs-out',
    file: 'libs/features/auth/invitations/invitations.repository.ts',
    find: 'revoked_at IS NULL AND expires_at > now()',
    replace: 'revoked_at IS NULL',
    spec: 'cases/recovery',
    cases: ['G07'],
  },
];
