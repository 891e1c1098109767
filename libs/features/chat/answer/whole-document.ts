import { contentTerms, type Term } from './terms';

const ASKS_WHOLE: Record<string, RegExp> = {
  en: /\bwhat(?:'s| is| are| was)\b.{0,80}\babout\b|\bwhat (?:does|do|is)\b.{0,60}\b(?:cover|contain|describe|deal with|discuss)\b|\b(?:summari[sz]e|sum up|summary|overview|gist|outline|tl;?dr|main (?:points|topics|ideas)|key points)\b/iu,
  de: /\bworum geht|\bwovon handel|\bwas steht in|\bzusammenfass|\bfass\w*\b.{0,60}\bzusammen\b|\büberblick\b|\bkurzfassung\b|\bwas ist der inhalt/iu,
  ja: /要約|概要|まとめて|何について|なにについて|何に関|どんな(?:文書|内容|書類|資料)|どのような(?:文書|内容|書類|資料)|何が書/u,
  fr: /\brésum|\bde quoi (?:parle|traite)/iu,
  es: /\bresum|\bde qué (?:trata|habla)/iu,
  zh: /总结|摘要|概述|总結|摘述|关于什么|關於什麼/u,
};

/** Words for a document as such: they name no subject. */
const DOCUMENT_WORDS: Record<string, string> = {
  en: `document documents file files text texts paper report page pages content contents summary summarise summarize sum overview gist outline tl dr tldr
    main key points topics ideas short brief briefly quick cover covers contain contains describe describes deal discuss upload uploaded about
    sentence sentences word words`,
  de: `dokument dokumente datei dateien text texte unterlage unterlagen schrift inhalt zusammenfassung zusammenfassen zusammen fasse fass uberblick
    kurzfassung kurz kurze worum wovon handelt handeln geht steht satz satze satzen`,
};
const DOCUMENT_RUNS = /^(?:文書|書類|資料|文章|要約|概要|内容|書|書籍|文|本文|全体|总结|摘要|概述|文件|文档|內容|内)$/u;

const sets = new Map(Object.entries(DOCUMENT_WORDS).map(([language, words]) => [language, new Set(words.split(/\s+/u))]));

/**
 * Whether a question is about a document as a whole ("what is this about?", "summarise it"). `subject` holds the words that say which
 * document is meant ("the travel policy"); empty when it says none.
 */
export function readWholeQuestion(text: string, language: string): { whole: boolean; subject: Term[] } {
  const whole = ASKS_WHOLE[language]?.test(text) ?? false;
  if (!whole) return { whole, subject: [] };
  const generic = sets.get(language);
  const subject = contentTerms(text, language).filter((term) => !generic?.has(term.text) && !DOCUMENT_RUNS.test(term.text));
  return { whole, subject };
}
