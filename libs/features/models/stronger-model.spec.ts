import { strongerModel } from './stronger-model';

const GIB = 2 ** 30;

describe('strongerModel', () => {
  it.each([
    [2, 8, undefined],
    [4, 1, 'qwen3-0.6b'],
    [8, 1, 'qwen3-1.7b'],
    [8, 4, 'qwen3-4b'],
    [24, 1, 'qwen3-1.7b'],
    [24, 8, 'qwen3-8b'],
  ])('on %i GiB with %i threads: %s', (memory, threads, slug) => {
    expect(strongerModel(memory * GIB, threads)?.slug).toBe(slug);
  });

  it('tells the download, the licence and what to type', () => {
    expect(strongerModel(8 * GIB, 1)).toEqual({
      slug: 'qwen3-1.7b',
      downloadBytes: 1_834_426_016,
      license: 'Apache-2.0',
      fetch: 'npm run models -- fetch qwen3-1.7b',
      setting: 'CHAT_MODEL=qwen3-1.7b',
    });
  });
});
