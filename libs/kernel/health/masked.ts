const CREDENTIALS_IN_URL = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi;
const NAMED_SECRET = /\b(password|passwd|token|secret|api[_-]?key)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi;

/** What a driver or a server said, without the credentials that it may have repeated from an address or a query. */
export function masked(text: string): string {
  return text.replace(CREDENTIALS_IN_URL, '$1***@').replace(NAMED_SECRET, '$1$2***');
}
