import jsep from 'jsep';
import { AppError } from '@kernel/errors';

const LONGEST = 500;
const DEEPEST = 60;
const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['pi', Math.PI],
  ['e', Math.E],
]);
type Operation = (left: number, right: number) => number;
const OPERATORS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
  ['*', (left, right) => left * right],
  ['/', (left, right) => left / nonZero(right)],
  ['%', (left, right) => left % nonZero(right)],
  ['**', (left, right) => left ** right],
]);
/** With how many arguments each may be called. */
const FUNCTIONS: ReadonlyMap<string, { least: number; most: number; call(...values: number[]): number }> = new Map([
  ...(['abs', 'sqrt', 'floor', 'ceil', 'round', 'trunc', 'sign', 'exp', 'sin', 'cos', 'tan'] as const).map(
    (name) => [name, { least: 1, most: 1, call: (value: number) => Math[name](value) }] as const,
  ),
  ['ln', { least: 1, most: 1, call: (value: number) => Math.log(value) }],
  ['log10', { least: 1, most: 1, call: (value: number) => Math.log10(value) }],
  ['log2', { least: 1, most: 1, call: (value: number) => Math.log2(value) }],
  ['min', { least: 1, most: 50, call: (...values: number[]) => Math.min(...values) }],
  ['max', { least: 1, most: 50, call: (...values: number[]) => Math.max(...values) }],
]);

/**
 * The value of an arithmetic expression: + - * / % ^, parentheses, the constants pi and e, and a closed list of functions. The text becomes a syntax
 * tree by jsep and only the listed nodes and names have a meaning; nothing is ever executed. Double precision, rounded to 15 digits.
 * Errors: `invalid` (what is not understood), `unprocessable` (division by zero, no finite value).
 */
export function calculate(expression: string): number {
  if (expression.length > LONGEST) throw new AppError('invalid', `The expression is longer than ${LONGEST} characters.`);
  const value = valueOf(parsed(expression), 0);
  return Number(value.toPrecision(15));
}

/** A sign at the beginning of a term counts after powers, as in mathematics: -2^2 is -4. */
function parsed(expression: string): jsep.Expression {
  const text = expression
    .replaceAll('**', '^')
    .replaceAll('^', '**')
    .replace(/(^|[(,])(\s*)-/gu, (_, before: string, space: string) => `${before}${space}0-`);
  try {
    return jsep(text);
  } catch (error) {
    throw new AppError('invalid', `The expression cannot be read: ${(error as Error).message}.`);
  }
}

function valueOf(node: jsep.Expression, depth: number): number {
  if (depth > DEEPEST) throw new AppError('invalid', 'The expression is nested too deeply.');
  const value = evaluated(node as jsep.CoreExpression, depth + 1);
  if (!Number.isFinite(value)) throw new AppError('unprocessable', 'The expression has no finite value.');
  return value;
}

function evaluated(node: jsep.CoreExpression, depth: number): number {
  switch (node.type) {
    case 'Literal':
      if (typeof node.value === 'number') return node.value;
      throw notUnderstood(String(node.raw));
    case 'Identifier':
      return constant(node.name);
    case 'UnaryExpression':
      if (node.operator === '-') return -valueOf(node.argument, depth);
      if (node.operator === '+') return valueOf(node.argument, depth);
      throw notUnderstood(node.operator);
    case 'BinaryExpression':
      return binary(node, depth);
    case 'CallExpression':
      return called(node, depth);
    default:
      throw notUnderstood(node.type);
  }
}

function constant(name: string): number {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw notUnderstood(name);
  return value;
}

function binary({ operator, left, right }: jsep.BinaryExpression, depth: number): number {
  const operation = OPERATORS.get(operator);
  if (operation === undefined) throw notUnderstood(operator);
  if (operator === '**' && left.type === 'UnaryExpression') throw new AppError('invalid', 'Put a negative base into parentheses: (-2)^2.');
  return operation(valueOf(left, depth), valueOf(right, depth));
}

function called({ callee, arguments: given }: jsep.CallExpression, depth: number): number {
  const name = callee.type === 'Identifier' ? String(callee.name) : callee.type;
  const known = FUNCTIONS.get(name);
  if (known === undefined) throw notUnderstood(name);
  if (given.length < known.least || given.length > known.most)
    throw new AppError('invalid', `${name} cannot be called with ${given.length} arguments.`);
  return known.call(...given.map((one) => valueOf(one, depth)));
}

function nonZero(value: number): number {
  if (value === 0) throw new AppError('unprocessable', 'Division by zero.');
  return value;
}

function notUnderstood(what: string): AppError {
  return new AppError(
    'invalid',
    `'${what.slice(0, 40)}' is not understood here: numbers, + - * / % ^, parentheses, pi, e and ${[...FUNCTIONS.keys()].join(', ')} are.`,
  );
}
