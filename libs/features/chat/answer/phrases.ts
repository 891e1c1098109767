import type { Passage } from '@features/vectors';

interface Phrases {
  notFound: string;
  from: (document: string, page: number | null, marker: string) => string;
  quote: [string, string];
}

const PHRASES: Record<string, Phrases> = {
  en: {
    notFound: 'I could not find an answer to this in your documents.',
    from: (document, page, marker) => `From ‹${document}›${page === null ? '' : `, p. ${page}`} ${marker}: `,
    quote: ['“', '”'],
  },
  de: {
    notFound: 'Dazu habe ich in Ihren Dokumenten nichts gefunden.',
    from: (document, page, marker) => `Aus ‹${document}›${page === null ? '' : `, S. ${page}`} ${marker}: `,
    quote: ['„', '“'],
  },
  ja: {
    notFound: 'お手元の文書の中には、この質問の答えは見つかりませんでした。',
    from: (document, page, marker) => `‹${document}›${page === null ? '' : ` ${page}ページ`} ${marker} より：`,
    quote: ['「', '」'],
  },
};

function phrasesOf(language: string): Phrases {
  const english = PHRASES.en;
  if (english === undefined) throw new Error('The English phrases are missing.');
  return PHRASES[language] ?? english;
}

/** Says that the documents hold no answer, in the question's language where we know it, else in English. */
export function notFoundText(language: string): string {
  return phrasesOf(language).notFound;
}

/** `From ‹manual.pdf›, p. 3 [1]: “…”` */
export function quoteText(language: string, passage: Passage, index: number, text: string): string {
  const { from, quote } = phrasesOf(language);
  return `${from(passage.document, passage.page, `[${index}]`)}${quote[0]}${text}${quote[1]}`;
}
