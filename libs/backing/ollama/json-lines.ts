/** No line of Ollama's is longer, unless something is wrong. */
const LONGEST = 4 * 2 ** 20;

/** The objects of a stream of JSON lines, in order; a character may be cut by a chunk's end. Throws on a line that is no JSON object or never ends. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Record<string, unknown>, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let held = '';
  for await (const chunk of chunks) {
    held += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = held.indexOf('\n'); end >= 0; end = held.indexOf('\n', start)) {
      const line = held.slice(start, end);
      start = end + 1;
      if (line.trim() !== '') yield objectOf(line);
    }
    held = held.slice(start);
    if (held.length > LONGEST) throw new Error(`A line of more than ${LONGEST} characters.`);
  }
  held += decoder.decode();
  if (held.trim() !== '') yield objectOf(held);
}

function objectOf(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('A line that is no JSON object.');
  return value as Record<string, unknown>;
}
