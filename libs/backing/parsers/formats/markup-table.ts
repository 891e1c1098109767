/** The little of a document's tree that is looked at. */
export interface MarkupNode {
  nodeName: string;
  textContent: string | null;
  parentNode: MarkupNode | null;
  previousSibling: MarkupNode | null;
  nextSibling: MarkupNode | null;
  childNodes: Iterable<MarkupNode>;
  getAttribute?(name: string): string | null;
  querySelector(selector: string): MarkupNode | null;
}

const MOST_SPANNED = 50;

/** A cell: on one line, closed by a bar; in a table that only arranges a page, a paragraph. */
export function cellText(content: string, node: MarkupNode): string {
  if (arranges(tableOf(node))) return `\n\n${content.trim()}\n\n`;
  const text = content
    .trim()
    .replace(/\s*\n\s*/gu, ' ')
    .replaceAll('|', '\\|');
  const spanned = Math.min(MOST_SPANNED, Math.max(1, Number(node.getAttribute?.('colspan') ?? '1') || 1));
  return ` ${text} |${'  |'.repeat(spanned - 1)}`;
}

/** A row; below the first one the line that makes it a header in Markdown. */
export function rowText(content: string, node: MarkupNode): string {
  const table = tableOf(node);
  if (arranges(table)) return content;
  const [first] = table === undefined ? [] : rowsOf(table);
  const row = `|${content.replaceAll('\n', ' ')}\n`;
  return first === node ? `${row}|${' --- |'.repeat(row.split(/(?<!\\)\|/u).length - 2)}\n` : row;
}

export function tableText(content: string, node: MarkupNode): string {
  const caption = node.querySelector('caption')?.textContent?.trim() ?? '';
  if (caption === '' || arranges(node)) return `\n\n${content.trim()}\n\n`;
  return `\n\n${caption}\n\n${content.slice(content.indexOf('|')).trim()}\n\n`;
}

/** A table of one column, or with tables in it, is a layout and no table. */
function arranges(table: MarkupNode | undefined): boolean {
  if (table === undefined || (table.querySelector('table') ?? null) !== null) return true;
  return rowsOf(table).every((row) => cellsOf(row).length <= 1);
}

function tableOf(node: MarkupNode): MarkupNode | undefined {
  for (let at = node.parentNode; at !== null; at = at.parentNode) if (at.nodeName === 'TABLE') return at;
  return undefined;
}

function rowsOf(table: MarkupNode): MarkupNode[] {
  return [...table.childNodes].flatMap((child) =>
    child.nodeName === 'TR' ? [child] : /^T(?:HEAD|BODY|FOOT)$/u.test(child.nodeName) ? rowsOf(child) : [],
  );
}

function cellsOf(row: MarkupNode): MarkupNode[] {
  return [...row.childNodes].filter(({ nodeName }) => nodeName === 'TD' || nodeName === 'TH');
}
