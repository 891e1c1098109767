import { AppError } from '@kernel/errors';
import { translated } from './postgres.error';

describe('an error of the driver in our words', () => {
  it.each([
    ['53100', 'storage_full', true],
    ['57014', 'timeout', true],
    ['53300', 'unavailable', true],
    ['22P02', 'unprocessable', false],
  ])('%s is %s, retryable: %s', (code, ours, retryable) => {
    const error = translated(Object.assign(new Error('the driver says'), { code }));
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: ours, retryable });
  });
});
