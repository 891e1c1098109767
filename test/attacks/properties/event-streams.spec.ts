import fc from 'fast-check';
import { encodeEvents } from '../../../apps/api/src/jobs/event-stream';
import { CompletionFrames } from '../../../apps/api/src/openai/completion-frames';

interface Event {
  id: string;
  event: string;
  data: string;
}

/** The parser of the WHATWG standard (HTML, 9.2.6), fed with pieces of bytes as a network cuts them. */
class StreamParser {
  readonly events: Event[] = [];
  private readonly decoder = new TextDecoder();
  private line = '';
  private afterReturn = false;
  private fields = { id: '', event: '', data: [] as string[] };

  feed(bytes: Uint8Array): void {
    for (const character of this.decoder.decode(bytes, { stream: true })) {
      const breaks = character === '\r' || (character === '\n' && !this.afterReturn);
      if (breaks) this.endLine();
      else if (character !== '\n') this.line += character;
      this.afterReturn = character === '\r';
    }
  }

  private endLine(): void {
    const { line } = this;
    this.line = '';
    if (line === '') return this.dispatch();
    if (line.startsWith(':')) return;
    const at = line.indexOf(':');
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (name === 'data') this.fields.data.push(value);
    else if (name === 'event' || name === 'id') this.fields[name] = value;
  }

  private dispatch(): void {
    const { id, event, data } = this.fields;
    if (data.length > 0) this.events.push({ id, event, data: data.join('\n') });
    this.fields = { id, event: '', data: [] };
  }
}

/** The same bytes in pieces of any size. */
function read(text: string, cuts: number[]): Event[] {
  const parser = new StreamParser();
  let rest = new TextEncoder().encode(text);
  for (const cut of cuts) {
    const at = Math.min(cut, rest.length);
    parser.feed(rest.subarray(0, at));
    rest = rest.subarray(at);
  }
  parser.feed(rest);
  return parser.events;
}

const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 });
/** Texts that would end a line, a field or a stream if they were written as they are. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '\n',
        '\r',
        '\r\n',
        '\n\n',
        'data: x',
        'event: done',
        'id: 9',
        ':',
        '[DONE]',
        '\u2028',
        '\u0085',
        '\ufeff',
        '🙂',
        'a',
      ),
    )
    .map((parts) => parts.join('')),
);

describe('D08 event streams', () => {
  it('D08 give every event back, whatever its text says and however the network cuts it', () => {
    const events = fc.array(
      fc.record({ seq: fc.integer({ min: 1, max: 999_999 }), event: fc.constant('delta' as const), data: fc.record({ text: hostile }) }),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(events, cuts, (given, pieces) => {
        const found = read(encodeEvents(given), pieces);
        expect(found.map(({ id, event, data }) => ({ seq: Number(id), event, data: JSON.parse(data) as unknown }))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  it('D08 of completions carry the words of a model as words', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 6 }), cuts, (words, pieces) => {
        const head = { id: 'cmpl-1', object: 'text_completion' as const, created: 1, model: 'm', system_fingerprint: null };
        const frames = new CompletionFrames(head, false);
        const text = words.map((word) => frames.choice({ index: 0, text: word, logprobs: null, finish_reason: null })).join('');
        const found = read(text, pieces).map(({ event, data }) => [
          event,
          (JSON.parse(data) as { choices: [{ text: string }] }).choices[0].text,
        ]);
        expect(found).toEqual(words.map((word) => ['', word]));
      }),
      { numRuns: 500 },
    );
  });
});
