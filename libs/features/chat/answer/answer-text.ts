import type { Passage } from '@features/vectors';
import { citationOf, type Citation, type SupportSpan } from '../citation.entity';
import type { AnswerSink } from './answer-task';

/** What has been sent of one answer, with the spans that passages support. Sent text is never changed. */
export class AnswerText {
  content = '';
  private readonly spans = new Map<number, SupportSpan[]>();

  constructor(private readonly sink: Pick<AnswerSink, 'delta'>) {}

  /** Sends text that nothing supports yet. */
  async write(text: string): Promise<void> {
    this.content += text;
    await this.sink.delta(text);
  }

  /** Sends a sentence or quote with the passages (by index in their list) that support it. */
  async add(text: string, passages: number[], separator: string): Promise<void> {
    const before = this.content === '' ? '' : separator;
    const start = this.content.length + before.length;
    await this.write(before + text);
    for (const passage of passages) this.support(passage, { start, end: start + text.length });
  }

  support(passage: number, span: SupportSpan): void {
    this.spans.set(passage, [...(this.spans.get(passage) ?? []), span]);
  }

  /** The passages that support something or are named by a marker, under the numbers they were given. */
  citations(passages: Passage[]): Citation[] {
    const marked = new Set(
      [...this.content.matchAll(/\[(\d+(?:, \d+)*)\]/gu)].flatMap((match) => (match[1] ?? '').split(', ').map(Number)),
    );
    return passages.flatMap((passage, place) => {
      const supports = this.spans.get(place) ?? [];
      return supports.length > 0 || marked.has(place + 1) ? [citationOf(passage, place + 1, supports)] : [];
    });
  }
}
