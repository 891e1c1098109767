import type { Token } from 'node-llama-cpp' with { 'resolution-mode': 'import' };
import { TokenText } from './token.text';

/** Tokens that are bytes. */
const decode = (tokens: Token[]): string => Buffer.from(tokens).toString('utf8');

function written(bytes: Iterable<number>): { pieces: string[]; rest: string } {
  const text = new TokenText(decode);
  const pieces = [...bytes].map((byte) => text.push(byte as Token));
  return { pieces: pieces.filter((piece) => piece !== ''), rest: text.rest() };
}

describe('TokenText', () => {
  it('waits for the whole character', () => {
    expect(written(Buffer.from('aé🦊.'))).toEqual({ pieces: ['a', 'é', '🦊', '.'], rest: '' });
  });

  it('drops half a character at the end', () => {
    expect(written(Buffer.from('a🦊').subarray(0, 3))).toEqual({ pieces: ['a'], rest: '' });
  });

  it('does not wait for ever for bytes that are no character', () => {
    const { pieces } = written(Array.from({ length: 20 }, () => 0xff));
    expect(pieces.length).toBeGreaterThan(0);
  });
});
