import remarkParse from 'remark-parse';
import { unified } from 'unified';

export interface Heading {
  /** UTF-16 code units of the segment. */
  start: number;
  /** 1..6 */
  depth: number;
  /** Without its marks, on one line. */
  text: string;
}

/** Inline marks need no reading to find headings; without them the parser is several times faster. */
const BLOCKS_ONLY = {
  disable: { null: ['attention', 'autolink', 'codeText', 'labelEnd', 'labelStartImage', 'labelStartLink', 'htmlText', 'definition'] },
};

const blocks = unified()
  .use(remarkParse)
  .use(function blocksOnly() {
    const settings = this.data();
    settings.micromarkExtensions = [...(settings.micromarkExtensions ?? []), BLOCKS_ONLY];
  })
  .freeze();
const inline = unified().use(remarkParse).freeze();

type Root = ReturnType<typeof inline.parse>;
type Content = Root['children'][number];

/** The headings of a Markdown segment, in order, also those in quotes and lists; none of what only looks like one (code, comments). */
export function headings(segment: string): Heading[] {
  if (!/^[ >\t]*(?:#|=+\s*$|-+\s*$)|^\s*(?:[-*+]|\d+[.)])\s+#/mu.test(segment)) return [];
  const found: Heading[] = [];
  collect(blocks.parse(segment).children, segment, found);
  return found;
}

function collect(nodes: readonly Content[], segment: string, found: Heading[]): void {
  for (const node of nodes) {
    const { start, end } = { start: node.position?.start.offset, end: node.position?.end.offset };
    if (node.type === 'heading' && start !== undefined && end !== undefined) {
      const text = plainText(inline.parse(segment.slice(start, end)))
        .replace(/\s+/gu, ' ')
        .trim();
      if (text !== '') found.push({ start, depth: node.depth, text });
    } else if ('children' in node) collect(node.children as Content[], segment, found);
  }
}

function plainText(node: Root | Content): string {
  if ('value' in node && node.type !== 'html') return node.value;
  if ('alt' in node) return node.alt ?? '';
  return 'children' in node ? node.children.map(plainText).join('') : '';
}
