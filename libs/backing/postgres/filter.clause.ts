import type { FilterRelation, VectorFilter } from '@kernel/vectors';
import sql, { join, raw, type Sql } from 'sql-template-tag';

const OPERATOR: Record<FilterRelation, string> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/** A filter as a condition on the jsonb object `metadata`: true or false, never null, so that a negation is exact. Every value is a parameter. */
export function filterCondition(filter: VectorFilter, metadata: Sql): Sql {
  switch (filter.op) {
    case 'and':
    case 'or':
      return joined(filter.op, filter.operands, metadata);
    case 'not':
      return sql`NOT ${filterCondition(filter.operand, metadata)}`;
    case 'in':
      return within(filter.values, sql`(${metadata} -> ${filter.field}::text)`);
    case 'range':
      return ranged(filter.value, filter.relation, sql`(${metadata} -> ${filter.field}::text)`);
    case 'exists':
      return sql`jsonb_exists(${metadata}, ${filter.field}::text)`;
  }
}

function joined(op: 'and' | 'or', operands: VectorFilter[], metadata: Sql): Sql {
  if (operands.length === 0) return op === 'and' ? sql`true` : sql`false`;
  const conditions = operands.map((operand) => filterCondition(operand, metadata));
  return sql`(${join(conditions, ` ${op.toUpperCase()} `)})`;
}

/** `jsonb_exists` finds a text as the value itself and as a member of an array alike. */
function within(values: unknown[], value: Sql): Sql {
  const texts = values.filter((each) => typeof each === 'string');
  const others = values.filter((each) => typeof each !== 'string').map((each) => JSON.stringify(each));
  const conditions: Sql[] = [];
  if (texts.length > 0) conditions.push(sql`coalesce(jsonb_exists_any(${value}, ${texts}::text[]), false)`);
  if (others.length > 0) conditions.push(sql`coalesce(${value} = ANY(${others}::jsonb[]), false)`);
  return conditions.length === 0 ? sql`false` : sql`(${join(conditions, ' OR ')})`;
}

/** Only the branch of the value's own type is evaluated. */
function ranged(bound: number | string, relation: FilterRelation, value: Sql): Sql {
  const operator = raw(OPERATOR[relation]);
  if (typeof bound === 'number')
    return sql`(CASE WHEN jsonb_typeof(${value}) = 'number' THEN ${value} ${operator} ${JSON.stringify(bound)}::jsonb ELSE false END)`;
  return sql`(CASE WHEN jsonb_typeof(${value}) = 'string'
    THEN coalesce(rfc3339_instant(${value} #>> '{}') ${operator} rfc3339_instant(${bound}::text), false) ELSE false END)`;
}
