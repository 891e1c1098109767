import { languageOf, readQuestion } from './question';
import { readWholeQuestion } from './whole-document';

describe('readQuestion', () => {
  it.each([
    ['Which orchard grows the red apples?', 'en'],
    ['Wie viele Äpfel wachsen dort?', 'de'],
    ['Wer ist das?', 'de'],
    ['りんごは何個ですか。', 'ja'],
  ])('tells the language of %j', (text, language) => {
    expect(languageOf(text)).toBe(language);
  });

  it('takes the language of the turn before when a turn has no words of its own', () => {
    expect(languageOf('B-12?', ['Wie schwer ist der Traktor B-11?'])).toBe('de');
  });

  it.each([
    ['Which bakery made the cake?', ['bakery']],
    ['What yearly rent does a new tenant pay?', ['rent']],
    ['How many lanterns hang in the hall?', ['lanterns', 'hang']],
    ['How long is the guarantee on the Model X-9 kettle?', ['guarantee']],
    ['What is the colour of the roof?', ['colour']],
    ['How often does it rain?', []],
    ['How many people came?', []],
    ['Wie viel Trinkgeld zahlt man in Wien?', ['trinkgeld']],
    ['図書館の閲覧料金はどれほどですか。', ['図書館', '閲覧料金']],
    ['灯台の高さはどれほどですか。', ['灯台', '高']],
  ])('finds what %j asks for', (text, focus) => {
    expect(readQuestion(text, []).focus.map((term) => term.text)).toEqual(focus);
  });

  it.each([
    ['And in autumn?', true],
    ['What about the blue ones?', true],
    ['Und im Herbst?', true],
    ['では冬はどうですか。', true],
    ['How long does it take?', true],
    ['For children?', true],
    ['Without a lamp?', true],
    ['Im Winter?', true],
    ['How come?', true],
    ['Warum nicht?', true],
    ['冬は？', true],
    ['Et pour les enfants ?', true],
    ['¿Y en invierno?', true],
    ['那冬天呢？', true],
    ['In which year was the harbour built?', false],
    ['For how many days is the visitor badge valid?', false],
    ['Im welchen Monat beginnt die Ernte der Birnen?', false],
    ['灯台の高さはどれほどですか。', false],
    ['How long does the voyage from the harbour to the northern islands take in a storm?', false],
  ])('sees whether %j goes on from the turn before', (text, followUp) => {
    const question = readQuestion(text, ['Wie viele Tage dauert die Reise im Sommer?']);
    expect(question.followUp).toBe(followUp);
    expect(question.query.includes('Reise im Sommer')).toBe(followUp);
  });

  it('is no follow-up without an earlier turn', () => {
    expect(readQuestion('And in autumn?', [])).toMatchObject({ followUp: false, query: 'And in autumn?', earlier: [] });
  });
});

describe('readWholeQuestion', () => {
  it.each([
    ['What is this about?', 'en', []],
    ['Please summarise it.', 'en', []],
    ['Give me an overview of the garden calendar.', 'en', ['garden', 'calendar']],
    ['Worum geht es hier?', 'de', []],
    ['Fasse die Satzung kurz zusammen.', 'de', ['satzung']],
    ['この文書を要約してください。', 'ja', []],
  ])('%j is about a document', (text, language, subject) => {
    const read = readWholeQuestion(text, language);
    expect(read.whole).toBe(true);
    expect(read.subject.map((term) => term.text)).toEqual(subject);
  });

  it.each([
    ['How much sugar goes into the jam?', 'en'],
    ['Wie hoch ist die Miete?', 'de'],
    ['家賃はいくらですか。', 'ja'],
  ])('%j is not', (text, language) => {
    expect(readWholeQuestion(text, language).whole).toBe(false);
  });
});
