import { TextVectors } from './text-vectors';

describe('TextVectors', () => {
  const asked: string[][] = [];
  const embed = async (texts: string[]): Promise<Float32Array[]> => {
    asked.push(texts);
    return texts.map((text) => Float32Array.of(text.length));
  };

  beforeEach(() => asked.splice(0));

  it('embeds each text once for each model', async () => {
    const vectors = new TextVectors(10);
    expect(await vectors.of('m', ['a', 'bb', 'a'], embed)).toEqual([Float32Array.of(1), Float32Array.of(2), Float32Array.of(1)]);
    await vectors.of('m', ['bb', 'ccc'], embed);
    await vectors.of('m', ['ccc'], embed);
    await vectors.of('n', ['a'], embed);
    expect(asked).toEqual([['a', 'bb'], ['ccc'], ['a']]);
  });

  it('forgets what was used longest ago', async () => {
    const vectors = new TextVectors(2);
    await vectors.of('m', ['a', 'b'], embed);
    await vectors.of('m', ['a'], embed);
    await vectors.of('m', ['c'], embed);
    asked.splice(0);
    await vectors.of('m', ['a', 'c'], embed);
    await vectors.of('m', ['b'], embed);
    expect(asked).toEqual([['b']]);
  });

  it('answers more texts than it keeps', async () => {
    expect(await new TextVectors(1).of('m', ['a', 'bb', 'ccc'], embed)).toHaveLength(3);
  });
});
