import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import type { Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import type { Page, PageQuery } from '@kernel/paging';
import { AUDIT_DETAILS, type AuditDetails, type AuditEntry, type StoredAuditEntry } from './audit-entry';
import { AuditRepository, type AuditFilter } from './audit.repository';

const LONGEST_TEXT = 300;
const DIGEST_DIGITS = 16;

/** Where what is done comes from. */
export interface AuditOrigin {
  address: string;
  requestId: string;
}

/**
 * Writes down who did what, in the transaction of the effect where it has one, and lets admins read it. Entries are only ever added: the
 * database refuses every change, and retention alone deletes. Errors of reading: `forbidden`.
 */
@Injectable()
export class Audit {
  private readonly origins = new AsyncLocalStorage<AuditOrigin>();

  constructor(private readonly repository: AuditRepository) {}

  /** The short form of an e-mail that nobody has proved to own: equal ones can be told, none can be read. */
  static digest(email: string): string {
    return createHash('sha256').update(email).digest('hex').slice(0, DIGEST_DIGITS);
  }

  /** Runs `work`, and whatever it starts, as coming from there. */
  within(origin: AuditOrigin, work: () => void): void {
    this.origins.run(origin, work);
  }

  /** Without a connection the entry is committed by itself. */
  async add(connection: Queryable | undefined, entry: AuditEntry): Promise<void> {
    const origin = this.origins.getStore();
    await this.repository.insert(connection, {
      id: v7(),
      workspaceId: entry.workspaceId,
      actorId: entry.actor?.userId ?? null,
      keyId: entry.actor?.keyId ?? null,
      action: entry.action,
      subjectKind: entry.subject?.kind ?? null,
      subjectId: entry.subject?.id ?? null,
      details: allowed(entry.details ?? {}),
      address: entry.address ?? origin?.address ?? null,
      requestId: entry.requestId ?? origin?.requestId ?? null,
    });
  }

  /** Of the caller's workspace, whose admin the caller must be; of everything (`instance`) for instance admins. */
  page(principal: Principal, scope: 'workspace' | 'instance', filter: AuditFilter, page: PageQuery): Promise<Page<StoredAuditEntry>> {
    if (scope === 'workspace') return this.repository.page(principal.workspaceId, filter, page);
    if (!principal.instanceAdmin) throw new AppError('forbidden', 'scope: the audit of the instance is for the instance admin.');
    return this.repository.page(undefined, filter, page);
  }
}

/** Only scalars under known names reach the table, whatever an entry carries. */
function allowed(details: AuditDetails): AuditDetails {
  const kept: AuditDetails = {};
  for (const name of AUDIT_DETAILS) {
    const value = Object.hasOwn(details, name) ? details[name] : undefined;
    if (typeof value === 'string') kept[name] = value.slice(0, LONGEST_TEXT);
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) kept[name] = value;
  }
  return kept;
}
