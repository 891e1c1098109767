import { Readability } from '@mozilla/readability';
import { parseHTML } from 'linkedom';
import { charsetOfPage, decode } from './encoding';
import { markdownOf } from './markup';
import { ParseFault } from './parse-fault';
import type { ParsedText, ParseRequest } from './parsed-text';

const DEEPEST = 1_000;
const NOT_TEXT =
  'script,style,template,noscript,svg,iframe,object,embed,canvas,audio,video,button,select,input,textarea,dialog,[hidden],[aria-hidden=true]';
const AROUND = 'nav,footer,aside,[role=navigation],[role=banner],[role=contentinfo],[role=search]';
/** The main content is believed when it has this share of the page's text and so many characters. */
const MAIN_SHARE = 0.5;
const MAIN_LEAST = 200;
/** Elements that have no end, or may go without one. */
const ENDLESS =
  /^(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|param|p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option|colgroup|html|head|body)$/u;

/** What the library asks for: a document, of which it knows no more than this one has. */
type Readable = ConstructorParameters<typeof Readability>[0];
type Page = ReturnType<typeof parseHTML>['document'];

/** Reads the main content of a page, or all of it where that cannot be told, as Markdown. */
export function parse({ bytes, charset }: ParseRequest): ParsedText {
  const html = decode(bytes, charset ?? charsetOfPage(bytes)).replace(/^\ufeff/u, '');
  if (isTooDeep(html)) throw new ParseFault('unprocessable', `The page is nested more than ${DEEPEST} levels deep.`);
  const page = pageOf(html);
  const title = oneLine(page.querySelector('title')?.textContent);
  const heading = oneLine(page.querySelector('h1')?.textContent);
  const { content, byline } = mainOf(html, page);
  // A title may add the name of the site to the heading of the page.
  const name = heading !== '' && title.includes(heading) ? heading : title;
  const text = headed(markdownOf(content), name, byline);
  return { text, title: title === '' ? null : title, pages: null, markdown: true, columns: null };
}

/** The text under its title, which the main content may lack or repeat. */
function headed(text: string, title: string, byline: string): string {
  const [first = '', ...rest] = text.split('\n');
  const repeated = /^#{1,6} (.*)$/u.exec(first)?.[1] === title;
  const body = repeated ? rest.join('\n').trim() : text;
  const by = byline === '' || body.includes(byline) ? '' : `${byline}\n\n`;
  const outside = text.replace(/^```[^]*?^```/gmu, '');
  if (title === '' || (!repeated && /^# /mu.test(outside))) return by + text;
  return `# ${title}\n\n${by}${body}`;
}

function pageOf(html: string): Page {
  const whole = /<(?:html|body)[\s>]/iu.test(html) ? html : `<!doctype html><html><head></head><body>${html}</body></html>`;
  const { document } = parseHTML(whole);
  for (const element of document.querySelectorAll(NOT_TEXT)) element.remove();
  for (const element of document.querySelectorAll('[style]')) {
    if (/display\s*:\s*none|visibility\s*:\s*hidden/iu.test(element.getAttribute('style') ?? '')) element.remove();
  }
  return document;
}

function mainOf(html: string, page: Page): { content: string; byline: string } {
  const article = new Readability(pageOf(html) as unknown as Readable, { charThreshold: MAIN_LEAST }).parse();
  const whole = page.body ?? page.documentElement;
  for (const element of whole.querySelectorAll(AROUND)) {
    if (oneLine(whole.textContent) !== oneLine(element.textContent)) element.remove();
  }
  const found = oneLine(article?.textContent).length;
  const believed = found >= MAIN_LEAST && found >= oneLine(whole.textContent).length * MAIN_SHARE;
  return believed ? { content: article?.content ?? '', byline: oneLine(article?.byline) } : { content: whole.innerHTML, byline: '' };
}

function oneLine(text: string | null | undefined): string {
  return (text ?? '').replace(/\s+/gu, ' ').trim();
}

/** Counts elements that must be closed; markup that is not nested on purpose stays far below the limit. */
function isTooDeep(html: string): boolean {
  let depth = 0;
  for (const [, end, name = '', own] of html.matchAll(/<(\/?)([a-z][a-z0-9-]{0,30})(?:\s[^<>]*?)?(\/?)>/giu)) {
    if (own === '/' || ENDLESS.test(name.toLowerCase())) continue;
    depth = Math.max(0, depth + (end === '/' ? -1 : 1));
    if (depth > DEEPEST) return true;
  }
  return false;
}
