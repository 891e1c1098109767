const LENGTH = 80;

/** The title of a conversation by its first question: its first line, cut at a word. */
export function titleOf(content: string): string {
  const line = content.trim().split(/\r?\n/u, 1)[0]?.replace(/\s+/gu, ' ').trim() ?? '';
  if (line.length <= LENGTH) return line;
  const cut = line.slice(0, LENGTH).toWellFormed();
  const space = cut.lastIndexOf(' ');
  return `${space > LENGTH / 2 ? cut.slice(0, space) : cut}…`;
}
