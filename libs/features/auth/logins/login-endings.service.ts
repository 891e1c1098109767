import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { Audit, type AuditEntry } from '@features/audit';
import type { Principal } from '@kernel/identity';
import { PrincipalCache } from '../principals/principal-cache.service';
import { LoginsRepository, type RevocationReason, type SpentToken } from './logins.repository';

/** Ends single logins: with an entry in the audit log, and in this process at once. */
@Injectable()
export class LoginEndings {
  constructor(
    private readonly postgres: PostgresClient,
    private readonly logins: LoginsRepository,
    private readonly audit: Audit,
    private readonly principals: PrincipalCache,
  ) {}

  async logout(principal: Principal, loginId: string): Promise<void> {
    const { userId, workspaceId } = principal;
    await this.end(loginId, 'logout', { workspaceId, actor: principal, action: 'auth.logout', subject: { kind: 'user', id: userId } });
  }

  /** A refresh token that had been used long ago was presented again: somebody has stolen it. */
  async stolen({ loginId, userId, workspaceId }: SpentToken): Promise<void> {
    await this.end(loginId, 'reuse', { workspaceId, actor: null, action: 'auth.refresh_reused', subject: { kind: 'user', id: userId } });
  }

  private async end(loginId: string, reason: RevocationReason, entry: AuditEntry): Promise<void> {
    await this.postgres.transaction(async (connection) => {
      await this.logins.revoke(connection, loginId, reason);
      await this.audit.add(connection, entry);
    });
    this.principals.forget({ sessionId: loginId });
  }
}
