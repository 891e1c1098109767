import { analyse } from './analyse';
import { fold } from './fold';
import { detectLanguage } from './language';
import { questionTerms } from './question';
import { anyOf, tsvector } from './tsvector';

const texts = (text: string, language: string | null): string[] => analyse(text, language).map((lexeme) => lexeme.text);

describe('analyse', () => {
  it('finds the same lexeme in every form of a word', () => {
    expect(texts('warranties', 'en')).toEqual(texts('warranty', 'en'));
    expect(texts('Häuser', 'de')).toEqual(texts('Hauser', 'de'));
    expect(texts('ＡＢＣ Café', 'en')).toEqual(texts('abc cafe', 'en'));
    expect(texts('Straße', 'de')).toEqual(texts('STRASSE', 'de'));
  });

  it('drops stopwords and keeps counting words', () => {
    expect(analyse('the price of the boat', 'en')).toEqual([
      { text: 'price', position: 2 },
      { text: 'boat', position: 5 },
    ]);
  });

  it('keeps the numerals of German although the list calls them stopwords', () => {
    expect(texts('nach acht Tagen', 'de')).toHaveLength(2);
  });

  it('writes scripts without spaces as bigrams and leaves the words among them whole', () => {
    expect(texts('保証期間はGB12です', 'ja')).toEqual(['保証', '証期', '期間', 'gb12']);
    expect(texts('茶', 'ja')).toEqual(['茶']);
    expect(texts('データ', 'ja')).toEqual(['デー', 'ータ']);
  });

  it('reads grouped numbers as one and keeps decimals', () => {
    expect(texts('10,000 and 10.000 and 3.5', 'en')).toEqual(['10000', '10000', '3.5']);
  });

  it('takes any text', () => {
    for (const odd of ['', '\ud800', "''' \\ :*|&!", '\u0e33'.repeat(3), 'x'.repeat(10_000), '🙂🙂'])
      expect(() => analyse(odd, null)).not.toThrow();
  });

  it('folds accents of European scripts only', () => {
    expect(fold('Åé')).toBe('ae');
    expect(fold('がで')).toBe('がで');
    expect(fold('की')).toBe('की');
  });
});

describe('detectLanguage', () => {
  it.each([
    ['en', 'The ferry leaves the northern harbour every morning before the first train arrives.'],
    ['de', 'Die Fähre verlässt den nördlichen Hafen jeden Morgen, bevor der erste Zug ankommt.'],
    ['fr', 'Le bateau quitte le port du nord chaque matin avant que le premier train arrive.'],
    ['ja', '船は毎朝、始発列車の前に港を出ます。'],
    ['zh', '渡轮每天早上在第一班火车到达之前离开港口。'],
    ['ko', '배는 매일 아침 첫 기차 전에 항구를 떠난다.'],
  ])('%s', (language, text) => expect(detectLanguage(text)).toBe(language));

  it('is that of the most of a text, not of its beginning', () => {
    const legal = 'This manual is provided as is, without warranty of any kind. All rights are reserved by the publisher. '.repeat(25);
    const german = 'Die Pumpe wird vor jeder Fahrt geprüft. Der Maschinist schreibt den Druck in das Buch und meldet jeden Fehler. '.repeat(
      120,
    );
    expect(detectLanguage(legal + german)).toBe('de');
  });

  it('says nothing about too little or too mixed a text', () => {
    for (const text of ['', 'OK', '12 | 13 | 14', 'GB-12']) expect(detectLanguage(text)).toBeNull();
  });
});

describe('questionTerms', () => {
  it('gives the forms of one word one number', () => {
    const terms = questionTerms('Versicherungen Hafen', ['de', 'fr']);
    expect(terms.length).toBeGreaterThan(2);
    expect(new Set(terms.map((term) => term.word))).toEqual(new Set([1, 2]));
  });

  it('drops the stopwords of its own language only, where it shows', () => {
    const words = (languages: string[]): string[] =>
      questionTerms('Which will the notary keep in the archive of the town?', languages).map((t) => t.lexeme);
    expect(words(['en', 'de'])).toContain('notari');
    expect(words(['en', 'de'])).not.toContain('the');
  });

  it('leaves out particles written in kana', () => {
    expect(questionTerms('保証期間はどのくらいですか', ['ja']).map((term) => term.lexeme)).toEqual(['保証', '証期', '期間']);
    expect(questionTerms('りんご', ['ja']).length).toBeGreaterThan(0);
  });
});

describe('tsvector', () => {
  it('quotes and counts', () => {
    expect(
      tsvector([
        { text: "o'n", position: 1 },
        { text: 'a\\b', position: 2 },
        { text: "o'n", position: 99_999 },
      ]),
    ).toBe("'o''n':1,16383 'a\\\\b':2");
    expect(anyOf(['a', 'b', 'a'])).toBe("'a' | 'b'");
  });
});
