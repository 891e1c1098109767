import { detectLanguage } from '@features/vectors';
import { figureAsked, type WantedFigure } from './figures';
import { pointingWords } from './light-words';
import { contentTerms, terms, type Term } from './terms';

/** What is to be answered, together with the turns that it needs to be understood. */
export interface Question {
  text: string;
  /** ISO 639-1. */
  language: string;
  /** What retrieval asks for: the question, for a follow-up after the questions that it continues. */
  query: string;
  content: Term[];
  /** The question without its proper names and codes: what is asked about them. */
  core: string;
  /** Content terms of the earlier questions of a follow-up. */
  earlier: Term[];
  /** What is asked for (`which harbour …`, `wie viele Tage …`), when the wording shows it. */
  focus: Term[];
  /** The kind of figure that an answer must hold. */
  wants: WantedFigure | null;
  followUp: boolean;
}

const SHORT_FOLLOW_UP = 4;
const OPENING =
  /^[\s¿]*(?:and|but|or|so|what about|how about|what if|und|aber|oder|also|was ist mit|wie ist es|was wenn|et|mais|ou|y|pero|では|じゃあ|それで|それなら|また)(?![\p{L}])|^\s*(?:では|じゃあ|それ|その|これ|この|那)/iu;
/** `For children?`, `Im Winter?`: no sentence, so the turn before holds the rest of it. */
const FRAGMENT =
  /^\s*(?:for|on|in|at|with|without|during|after|before|from|by|für|bei|beim|mit|ohne|im|am|an|auf|nach|vor|während)\s+(?:[^\s?]+\s+){0,2}[^\s?]+\s*[?]?\s*$/iu;
/** `冬は？`, `入場料は`: a topic of which nothing is said. */
const BARE_TOPIC = /(?:は|って|呢)\s*[？?]?\s*$/u;
const POINTING_KANA = /(?:それ|その|これ|この場合|そこ|あれ)/u;

/** Reads a question; `earlier` are the user's turns before it, oldest first. */
export function readQuestion(text: string, earlier: string[]): Question {
  const language = languageOf(text, earlier);
  const content = contentTerms(text, language);
  const followUp = earlier.length > 0 && continues(text, language, content);
  const before = followUp ? earlier.slice(-2) : [];
  const wants =
    figureAsked(text, language) ?? (followUp && content.length <= SHORT_FOLLOW_UP ? figureAsked(before.at(-1) ?? '', language) : null);
  return {
    text,
    language,
    query: [...before.slice(-1), text].join('\n'),
    content,
    core: coreOf([...before.slice(-1), text].join(' '), language),
    earlier: before.slice(-1).flatMap((turn) => contentTerms(turn, language)),
    focus: followUp ? [] : focusOf(text, language),
    wants,
    followUp,
  };
}

/** The language of a short text: by its script, then by its function words, then by letter statistics. */
export function languageOf(text: string, earlier: string[] = []): string {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return 'ja';
  const counted = ['en', 'de'].map((language) => ({ language, count: terms(text, language).filter((t) => t.stop || t.light).length }));
  const [first, second] = counted.sort((a, b) => b.count - a.count);
  if (first !== undefined && first.count > (second?.count ?? 0)) return first.language;
  const detected = detectLanguage(text);
  if (detected !== null) return detected;
  const last = earlier.at(-1);
  return last === undefined ? 'en' : languageOf(last, earlier.slice(0, -1));
}

/** Names make every sentence about their bearer look near; without them the similarity shows what is asked. */
function coreOf(text: string, language: string): string {
  const names = terms(text, language).filter((term) => term.name && term.number === null);
  const core = names.reduce((rest, name) => rest.replace(name.written, ''), text);
  return contentTerms(core, language).length === 0 ? text : core.replace(/\s+/gu, ' ').trim();
}

function continues(text: string, language: string, content: Term[]): boolean {
  if (OPENING.test(text) || FRAGMENT.test(text) || BARE_TOPIC.test(text)) return true;
  if (language === 'ja') return POINTING_KANA.test(text) || content.length === 0;
  const pointing = pointingWords(language);
  const points = terms(text, language).some((term) => pointing.has(term.text));
  return content.length === 0 || (points && content.length <= SHORT_FOLLOW_UP);
}

/** The head of the phrase that is asked for, when the wording shows it. */
export function focusOf(text: string, language: string): Term[] {
  if (language === 'ja') return spacelessFocus(text, language);
  if (language === 'de') return germanFocus(text);
  return language === 'en' ? englishFocus(text) : [];
}

const TOPIC_PHRASE =
  /(?:(?<owner>[\p{Script=Han}\p{Script=Katakana}ー]{2,})の)?(?<run>\p{Script=Han}+(?=さ)|\p{Script=Han}{2,}|[\p{Script=Katakana}ー]{2,})さ?(?=[はをが])/gu;

/** The runs before the last topic particle: `…塔の高さは` asks for the height of a tower; an answer needs all of them. */
function spacelessFocus(text: string, language: string): Term[] {
  const topic = [...text.matchAll(TOPIC_PHRASE)].at(-1)?.groups;
  return topic === undefined ? [] : contentTerms(`${topic.owner ?? ''}の${topic.run ?? ''}`, language);
}

/** German nouns show themselves: the first one is what is asked about. */
function germanFocus(text: string): Term[] {
  const nouns = contentTerms(text, 'de').filter((term) => /^\p{Lu}/u.test(term.written) && !text.trimStart().startsWith(term.written));
  return nouns.slice(0, 1);
}

const EN_ASKED =
  /\b(?:what|which|how many|how much)\s+(?!(?:of|is|are|was|were|does|do|did|can|may|must|should|has|have|will)\b)(?<phrase>[^?.,;]+)/iu;
const EN_SUBJECT = /\b(?:what|how \w+)(?:'s|\s+(?:is|are|was|were))\s+(?:the|a|an|my|our|your|its|their)\s+(?<phrase>[^?.,;]+)/iu;
const EN_END =
  /\b(?:of|for|on|in|at|to|from|with|by|about|when|if|while|after|before|do|does|did|is|are|was|were|be|has|have|had|can|could|may|might|must|should|will|would|shall|the|a|an|i|you|we|they|it|he|she|my|our|your|their|that|who|which|per|than|open)\b/iu;
const EN_ARTICLE = /^(?:the|a|an|my|our|your|their)$/iu;
const EN_PREPOSITION = /^(?:of|for|on|in|at|to|from|with|by|about|when|if|while|after|before|than|per|open)$/iu;

function englishFocus(text: string): Term[] {
  const asked = EN_ASKED.exec(text)?.groups?.phrase;
  const phrase = asked ?? EN_SUBJECT.exec(text)?.groups?.phrase;
  if (phrase === undefined) return [];
  const end = EN_END.exec(phrase);
  const content = terms(phrase.slice(0, end?.index), 'en').filter((term) => !term.stop);
  const named = content.filter((term) => !term.light && !term.name);
  if (asked === undefined) return named;
  // Before an article the verb came last ("which yard built the …"), before an auxiliary the noun ("what rent does …"); else it is unclear.
  if (end === null || EN_PREPOSITION.test(end[0])) return named;
  const head = EN_ARTICLE.test(end[0]) ? content[0] : content.at(-1);
  return head !== undefined && named.includes(head) ? [head] : [];
}
