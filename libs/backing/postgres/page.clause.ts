import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';
import sql, { type Sql, empty, raw } from 'sql-template-tag';

/**
 * Keyset paging over a table's `id` (UUIDv7): the conditions to append to a WHERE, and the order with one row more than asked.
 * `before` walks against the order; `pageOf` turns the rows round again.
 */
export function pageConditions(page: PageQuery): Sql {
  if (page.after !== undefined && page.before !== undefined)
    throw AppError.field('invalid', 'before', 'after and before cannot be used together.');
  const forward = page.order === 'asc' ? '>' : '<';
  const backward = page.order === 'asc' ? '<' : '>';
  if (page.after !== undefined) return sql` AND id ${raw(forward)} ${page.after}::uuid`;
  if (page.before !== undefined) return sql` AND id ${raw(backward)} ${page.before}::uuid`;
  return empty;
}

export function pageOrder(page: PageQuery): Sql {
  const descending = (page.order === 'desc') !== (page.before !== undefined);
  return sql` ORDER BY id ${raw(descending ? 'DESC' : 'ASC')} LIMIT ${page.limit + 1}`;
}

export function pageOf<T>(rows: T[], page: PageQuery): Page<T> {
  const hasMore = rows.length > page.limit;
  const kept = rows.slice(0, page.limit);
  return { data: page.before === undefined ? kept : kept.reverse(), hasMore };
}
