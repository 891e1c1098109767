import { cellText, rowText, tableText } from './markup-table';
import type { MarkupNode } from './markup-table';
import TurndownService from 'turndown';
import { raisedNumber } from './raised';

/** Signs that are not seen: soft hyphens, joiners of no width and marks of byte order. */
const UNSEEN = /[\u00ad\u200b\u2060\ufeff]/gu;

/** HTML as Markdown text for readers: headings, lists, tables and code keep their marks; emphasis, addresses of links and pictures go. */
export function markdownOf(html: string): string {
  return service()
    .turndown(html)
    .replace(UNSEEN, '')
    .replace(/[\u00a0\u202f]/gu, ' ')
    .replace(/[ \t]+$/gmu, '')
    .replace(/^#{1,6}$/gmu, '')
    .replace(/\n{3,}/gu, '\n\n')
    .trim();
}

function service(): TurndownService {
  const turndown = new TurndownService({ headingStyle: 'atx', bulletListMarker: '-', codeBlockStyle: 'fenced', hr: '---', br: '' });
  // A text that is read and quoted needs no signs that keep it from being rendered.
  turndown.escape = (text) => text;
  turndown.addRule('plain', { filter: ['strong', 'b', 'em', 'i', 'u', 'a', 'del', 's'], replacement: (content) => content });
  // From a note back to the text.
  turndown.addRule('return', { filter: (node) => /^#(?:foot|end)note-ref/u.test(attribute(as(node), 'href')), replacement: () => '' });
  turndown.addRule('picture', { filter: 'img', replacement: (_, node) => attribute(as(node), 'alt') });
  turndown.addRule('item', { filter: 'li', replacement: (content, node) => item(content, as(node)) });
  turndown.addRule('raised', {
    filter: 'sup',
    replacement: (content, node) => raisedNumber(as(node).previousSibling?.textContent ?? '', content),
  });
  turndown.addRule('listing', {
    filter: 'pre',
    replacement: (_, node) => `\n\n\`\`\`\n${(as(node).textContent ?? '').trimEnd()}\n\`\`\`\n\n`,
  });
  turndown.addRule('cell', { filter: ['td', 'th'], replacement: (content, node) => cellText(content, as(node)) });
  turndown.addRule('row', { filter: 'tr', replacement: (content, node) => rowText(content, as(node)) });
  turndown.addRule('rows', { filter: ['thead', 'tbody', 'tfoot'], replacement: (content) => content });
  turndown.addRule('table', { filter: 'table', replacement: (content, node) => tableText(content, as(node)) });
  return turndown;
}

const as = (node: unknown): MarkupNode => node as MarkupNode;

function attribute(node: MarkupNode, name: string): string {
  return (node.getAttribute?.(name) ?? '').trim();
}

function item(content: string, node: MarkupNode): string {
  const list = node.parentNode;
  const first = Number(list === null ? '1' : attribute(list, 'start')) || 1;
  const items = [...(list?.childNodes ?? [])].filter((each) => each.nodeName === 'LI');
  const mark = list?.nodeName === 'OL' ? `${first + items.indexOf(node)}. ` : '- ';
  const lines = content
    .trim()
    .replace(/\n{2,}/gu, '\n')
    .replace(/\n/gu, `\n${' '.repeat(mark.length)}`);
  return `${mark}${lines}${node.nextSibling === null ? '' : '\n'}`;
}
