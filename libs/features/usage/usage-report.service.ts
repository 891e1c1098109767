import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { roleAtLeast, type Principal } from '@kernel/identity';
import { UsageRepository, type GroupTotals, type UsageFilter, type UsageGroup, type UsageTotals } from './usage.repository';

export interface UsageQuestion {
  /** Unset: 30 days before `to`. */
  from?: Date;
  /** Exclusive; unset: now. */
  to?: Date;
  groupBy: UsageGroup;
}

export interface UsageAnswer {
  from: Date;
  to: Date;
  groups: GroupTotals[];
  hasMore: boolean;
  total: UsageTotals;
}

const DAY = 86_400_000;
const USUAL_DAYS = 30;
const MOST_DAYS = 366;
const MOST_GROUPS = 1_000;

/**
 * What model calls have used, in groups: of the whole workspace for its admins, of themselves for everybody else; a key without the scope `admin`
 * sees its own calls. Errors: `invalid` (a span that is empty or longer than 366 days).
 */
@Injectable()
export class UsageReport {
  constructor(private readonly usage: UsageRepository) {}

  async read(principal: Principal, question: UsageQuestion): Promise<UsageAnswer> {
    const to = question.to ?? new Date();
    const from = question.from ?? new Date(to.getTime() - USUAL_DAYS * DAY);
    if (from >= to) throw AppError.field('invalid', question.to === undefined ? 'from' : 'to', 'must lie after from.');
    if (to.getTime() - from.getTime() > MOST_DAYS * DAY)
      throw AppError.field('invalid', 'from', `may lie at most ${MOST_DAYS} days before to.`);
    const filter = { ...scopeOf(principal), from, to };
    const [groups, total] = await Promise.all([this.usage.totals(question.groupBy, filter, MOST_GROUPS + 1), this.usage.total(filter)]);
    return { from, to, total, groups: groups.slice(0, MOST_GROUPS), hasMore: groups.length > MOST_GROUPS };
  }
}

function scopeOf({ workspaceId, userId, keyId, role, scopes }: Principal): Pick<UsageFilter, 'workspaceId' | 'userId' | 'apiKeyId'> {
  if (roleAtLeast(role, 'admin') && scopes.has('admin')) return { workspaceId };
  return keyId === undefined ? { workspaceId, userId } : { workspaceId, apiKeyId: keyId };
}
