import fc from 'fast-check';

export type Json = string | number | boolean | Json[] | { [key: string]: Json };
export type Metadata = Record<string, Json>;

const INSTANTS = [
  '2024-01-01T00:00:00Z',
  '2024-01-01T01:00:00+01:00',
  '2023-12-31t23:59:59.99999999999z',
  '2024-01-01T00:00:00.000000001Z',
  '2024-01-01T00:00:00.10Z',
  '1969-12-31T23:59:59.5Z',
  '1970-01-01T00:00:00-00:00',
  '2016-12-31T23:59:60Z',
  '2017-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59-23:59',
  '2024-02-29T12:00:00Z',
];
const ALMOST = [
  '2023-02-29T12:00:00Z',
  '0000-01-01T00:00:00Z',
  '2024-01-01',
  '2024-01-01T24:00:00Z',
  '2024-01-01 00:00:00Z',
  '2024-01-01T00:00:00',
];
const field = fc.constantFrom('a', 'b', 'a.b', '_x1');
const text = fc.oneof(
  fc.constantFrom('', 'x', 'y', 'true', '1', "it's", '{}', '\\', '$eq'),
  fc.constantFrom(...INSTANTS),
  fc.constantFrom(...ALMOST),
);
const number = fc.oneof(
  fc.constantFrom(0, -0, 1, 2, 0.1, 0.30000000000000004, 0.3, 1e308, 5e-324, -1e21),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const scalar = fc.oneof(text, number, fc.boolean());
/** Metadata as points may have it. */
export const metadata: fc.Arbitrary<Metadata> = fc.dictionary(field, fc.oneof(scalar, fc.array(text, { maxLength: 3 })), { maxKeys: 4 });
const bound = fc.oneof(number, fc.constantFrom(...INSTANTS));

const { condition } = fc.letrec<{ condition: Json }>((tie) => ({
  condition: fc
    .dictionary(fc.constantFrom('$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists', '$not'), fc.constant(0), {
      minKeys: 1,
      maxKeys: 2,
    })
    .chain(
      (keys) =>
        fc.record(Object.fromEntries(Object.keys(keys).map((key) => [key, operandOf(key, tie('condition'))]))) as fc.Arbitrary<Json>,
    ),
}));
/** Filters of the contract's language. */
export const { filter } = fc.letrec<{ filter: Json }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.dictionary(field, fc.oneof(scalar, condition), { maxKeys: 2 }),
    fc.record({ $and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ $or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ $not: tie('filter').filter((each) => Object.keys(each as object).length > 0) }),
  ),
}));

function operandOf(operator: string, nested: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  if (operator === '$exists') return fc.boolean();
  if (operator === '$not') return nested;
  if (operator === '$in' || operator === '$nin') return fc.array(scalar, { maxLength: 3 });
  return operator === '$eq' || operator === '$ne' ? scalar : bound;
}

/** The contract's meaning of a filter, read naively. */
export function satisfies(wanted: Json, of: Metadata): boolean {
  return Object.entries(wanted as Metadata).every(([key, operand]) => {
    if (key === '$and') return (operand as Json[]).every((each) => satisfies(each, of));
    if (key === '$or') return (operand as Json[]).some((each) => satisfies(each, of));
    if (key === '$not') return !satisfies(operand, of);
    const value = Object.hasOwn(of, key) ? of[key] : undefined;
    return typeof operand === 'object' ? fits(operand as Metadata, value) : equal(value, operand);
  });
}

function fits(operators: Metadata, value: Json | undefined): boolean {
  return Object.entries(operators).every(([operator, operand]) => {
    if (operator === '$not') return !fits(operand as Metadata, value);
    if (operator === '$exists') return (value !== undefined) === operand;
    if (operator === '$eq') return equal(value, operand);
    if (operator === '$ne') return !equal(value, operand);
    if (operator === '$in') return (operand as Json[]).some((each) => equal(value, each));
    if (operator === '$nin') return !(operand as Json[]).some((each) => equal(value, each));
    const order = compared(value, operand);
    if (order === undefined) return false;
    return { $gt: order > 0, $gte: order >= 0, $lt: order < 0, $lte: order <= 0 }[operator] === true;
  });
}

function equal(value: Json | undefined, wanted: Json): boolean {
  return Array.isArray(value) ? value.includes(wanted) : value === wanted;
}

function compared(value: Json | undefined, operand: Json): number | undefined {
  if (typeof value === 'number' && typeof operand === 'number') return value - operand;
  if (typeof value !== 'string' || typeof operand !== 'string') return undefined;
  const [left, right] = [instant(value), instant(operand)];
  if (left === undefined || right === undefined) return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Units of 1e-20 s since 1970. */
function instant(written: string): bigint | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i.exec(written);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(2000, month - 1, day));
  date.setUTCFullYear(year, month - 1, day);
  if (year === 0 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 60)
    return undefined;
  const offset = (parts[8] === '-' ? -60 : 60) * (Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0));
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return BigInt(seconds) * 10n ** 20n + BigInt((parts[7] ?? '').padEnd(20, '0'));
}
