export type FilterScalar = string | number | boolean;
export type FilterRelation = 'gt' | 'gte' | 'lt' | 'lte';

/**
 * A condition on a point's metadata, with exact meaning whatever the store. `in`: the value, or a member of an array, is one of `values` by
 * strict type; `range`: numbers with numbers, RFC 3339 strings with RFC 3339 strings by instant; a missing field satisfies no condition but
 * the negation of one. `and` of nothing is true, `or` of nothing is false.
 */
export type VectorFilter =
  | { op: 'and' | 'or'; operands: VectorFilter[] }
  | { op: 'not'; operand: VectorFilter }
  | { op: 'in'; field: string; values: FilterScalar[] }
  | { op: 'range'; field: string; relation: FilterRelation; value: number | string }
  | { op: 'exists'; field: string };
