// How one answer is judged against its labelled question; test/eval/README.md says the rules in words.

export const TARGETS = {
  hit_at_5: { least: 0.9, name: 'evidence among the first five passages' },
  citation_precision: { least: 0.9, name: 'cited passages that are right' },
  facts: { least: 0.8, name: 'answers that contain the fact' },
  refused: { least: 0.9, name: 'unanswerable questions refused' },
  false_refusals: { most: 0.1, name: 'answerable questions refused' },
  unsupported_sentences: { most: 0, name: 'sentences without support' },
};

const NOT_FOUND = [/could not find an answer/i, /habe ich .* nichts gefunden/i, /答えは見つかりませんでした/];

const plain = (text) => text.replace(/\s+/gu, ' ').toLowerCase();

/** The answer says that the documents hold nothing. */
export function isRefusal(content) {
  return content.length < 120 && NOT_FOUND.some((pattern) => pattern.test(content));
}

export function holdsFacts(text, facts) {
  return facts.every((spellings) => spellings.some((spelling) => plain(text).includes(plain(spelling))));
}

/** A passage is right when it comes from the document and overlaps the evidence, or holds the facts; about a document as a whole the document is enough. */
export function isRightPassage(passage, question, texts) {
  if (question.document === null || passage.document !== question.document) return false;
  if (question.evidence === null) return true;
  return overlaps(passage, question, texts) || (question.facts.length > 0 && holdsFacts(passage.quote ?? '', question.facts));
}

export function overlaps(passage, question, texts) {
  if (passage.document !== question.document) return false;
  if (question.evidence === null) return true;
  const start = texts.get(question.document).indexOf(question.evidence);
  return passage.start < start + question.evidence.length && passage.end > start;
}

/** Everything that can be said about one answer; `null` where it does not apply. */
export function judge(question, { given, message }, texts) {
  const answerable = question.document !== null;
  const refusal = isRefusal(message.content) && message.citations.length === 0;
  const cited = message.citations.filter((citation) => citation.supports.length > 0);
  return {
    hit: answerable ? given.slice(0, 5).some((passage) => overlaps(passage, question, texts)) : null,
    fact: answerable && question.facts.length > 0 ? !refusal && holdsFacts(message.content, question.facts) : null,
    refusal,
    cited: cited.length,
    rightlyCited: cited.filter((citation) => isRightPassage(citation, question, texts)).length,
    unsupported: refusal ? [] : unsupportedSentences(message),
  };
}

/** Sentences of a grounded answer that lie in no support span, or that hold a number which the passages cited for them lack. */
export function unsupportedSentences({ content, citations }) {
  return sentencesOf(content).filter(({ start, end, text }) => {
    const behind = citations.filter((citation) => citation.supports.some((span) => span.start <= start && span.end >= end));
    if (behind.length === 0) return true;
    const source = behind.map((citation) => `${citation.document} ${citation.index} ${citation.quote}`).join(' ');
    const written = numbersOf(source);
    return numbersOf(text).some((number) => !written.includes(number));
  });
}

/** Split by Unicode's own rules, independently of the platform's splitter; pieces without a letter or digit are none. */
function sentencesOf(content) {
  const found = [];
  for (const { segment, index } of new Intl.Segmenter('en', { granularity: 'sentence' }).segment(content)) {
    const text = segment.trim();
    const start = index + segment.indexOf(text);
    if (/[\p{L}\p{N}]/u.test(text)) found.push({ start, end: start + text.length, text });
  }
  return found;
}

const NUMBER_WORDS =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(
    ' ',
  );

/** Numbers as digits; small English ones also when they are written out. */
function numbersOf(text) {
  const digits = text.match(/\p{Nd}+(?:[.,]\p{Nd}+)*/gu) ?? [];
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  return [...digits, ...words.filter((word) => NUMBER_WORDS.includes(word)).map((word) => String(NUMBER_WORDS.indexOf(word) + 1))];
}

/** The figures over judged answers. */
export function figures(results) {
  const share = (list, test) => (list.length === 0 ? null : list.filter(test).length / list.length);
  const answerable = results.filter(({ question }) => question.document !== null);
  const withFacts = results.filter(({ verdict }) => verdict.fact !== null);
  const none = results.filter(({ question }) => question.document === null);
  const cited = results.reduce((sum, { verdict }) => sum + verdict.cited, 0);
  return {
    questions: results.length,
    hit_at_5: share(answerable, ({ verdict }) => verdict.hit),
    citation_precision: cited === 0 ? null : results.reduce((sum, { verdict }) => sum + verdict.rightlyCited, 0) / cited,
    facts: share(withFacts, ({ verdict }) => verdict.fact),
    refused: share(none, ({ verdict }) => verdict.refusal),
    false_refusals: share(answerable, ({ verdict }) => verdict.refusal),
    unsupported_sentences: results.reduce((sum, { verdict }) => sum + verdict.unsupported.length, 0),
  };
}

/** Names of the figures that miss their target. */
export function missed(found) {
  return Object.entries(TARGETS)
    .filter(([name, { least, most }]) => found[name] !== null && (found[name] < (least ?? -Infinity) || found[name] > (most ?? Infinity)))
    .map(([name]) => name);
}
