const LONGEST = 255;
/** Pages, not files: their titles say more than their addresses. */
const PAGE = /\.(?:html?|xhtml|php|aspx?|jsp)$/iu;

/** A name out of what somebody else wrote: without folders and control characters, at most 255 characters; null when nothing is left. */
export function cleanName(text: string): string | null {
  const name = (text.split(/[/\\]/u).at(-1) ?? '').replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, '').trim();
  return name === '' || name === '.' || name === '..' ? null : name.slice(0, LONGEST).toWellFormed();
}

/** What a document by address is called before its content says more. `sure` when it is the name of a file. */
export function nameOfUrl(address: string): { name: string; sure: boolean } {
  const url = new URL(address);
  const segment = url.pathname.split('/').findLast((part) => part !== '');
  const name = segment === undefined ? null : cleanName(decoded(segment));
  if (name === null) return { name: cleanName(url.hostname) ?? 'document', sure: false };
  return { name, sure: /\.[a-z\d]{1,8}$/iu.test(name) && !PAGE.test(name) };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
