import { jsonLines } from './json-lines';

async function* chunked(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function read(text: string, size: number): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const line of jsonLines(chunked(text, size))) found.push(line);
  return found;
}

describe('jsonLines', () => {
  const text = '{"a":"日本語 🦊"}\n\n{"b":2}\r\n{"c":[3]}';

  it.each([1, 2, 3, 7, 1000])('puts lines together from pieces of %i bytes', async (size) => {
    expect(await read(text, size)).toEqual([{ a: '日本語 🦊' }, { b: 2 }, { c: [3] }]);
  });

  it.each(['{"a":', '[1]\n', 'null\n', '<html>\n'])('refuses %j', async (line) => {
    await expect(read(line, 5)).rejects.toThrow();
  });

  it('refuses invalid UTF-8', async () => {
    const bytes = (async function* () {
      yield Buffer.from([0x7b, 0xff, 0x7d, 0x0a]);
    })();
    await expect(jsonLines(bytes).next()).rejects.toThrow();
  });

  it('refuses a line that never ends', async () => {
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(2 ** 20, 'x');
    })();
    await expect(jsonLines(endless).next()).rejects.toThrow(/characters/);
  });
});
