import { calculate } from './arithmetic';

describe('calculate', () => {
  it.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['2 ^ 3 ^ 2', 512],
    ['-2^2', -4],
    ['(-2)^2', 4],
    ['2 * -3', -6],
    ['7 % 4 - 10 / 4', 0.5],
    ['0.1 + 0.2', 0.3],
    ['max(1, -2, sqrt(16)) + min(3, 5)', 7],
    ['round(pi * 100) / 100', 3.14],
    ['1e3 * 2', 2000],
    ['ln(e)', 1],
  ])('%s is %d', (expression, value) => expect(calculate(expression)).toBe(value));

  it.each([
    ['1 / 0', 'unprocessable', 'Division by zero'],
    ['5 % (2 - 2)', 'unprocessable', 'Division by zero'],
    ['10 ^ 400', 'unprocessable', 'no finite value'],
    ['1e999', 'unprocessable', 'no finite value'],
    ['sqrt(-1)', 'unprocessable', 'no finite value'],
    ['2 * -3^2', 'invalid', 'parentheses'],
    ['', 'invalid', 'Compound'],
    ['1 +', 'invalid', 'cannot be read'],
    ['constructor', 'invalid', 'constructor'],
    ['toString()', 'invalid', 'toString'],
    ['process.exit(1)', 'invalid', 'MemberExpression'],
    ['(1).constructor', 'invalid', 'MemberExpression'],
    ['this', 'invalid', 'ThisExpression'],
    ['"a" + 1', 'invalid', '"a"'],
    ['true', 'invalid', 'true'],
    ['1 == 1', 'invalid', '=='],
    ['1 ? 2 : 3', 'invalid', 'ConditionalExpression'],
    ['[1]', 'invalid', 'ArrayExpression'],
    ['1; 2', 'invalid', 'Compound'],
    ['abs(1, 2)', 'invalid', '2 arguments'],
    ['min()', 'invalid', '0 arguments'],
    ['1'.repeat(501), 'invalid', 'longer than 500'],
    [`${'('.repeat(100)}1${'+1)'.repeat(100)}`, 'invalid', 'nested too deeply'],
  ])('%s is refused', (expression, code, words) => {
    expect(() => calculate(expression)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }));
  });
});
