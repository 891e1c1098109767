import { counterOf, isUncased } from './vocabulary';

const sentencePiece = {
  'tokenizer.ggml.model': 'llama',
  'tokenizer.ggml.tokens': ['▁', 't', 'h', 'e', 'r', '▁t', 'he', '▁the', 're'],
  'tokenizer.ggml.scores': [-10, -11, -12, -13, -14, -1, -2, -3, -4],
};

describe('counterOf', () => {
  it('merges SentencePiece pieces by score and falls back to bytes', () => {
    const counter = counterOf(sentencePiece);
    expect(counter.atMost('the')).toBe(1);
    // ▁the, then ▁t he re, then three bytes behind a blank.
    expect(counter.atMost('the there')).toBe(1 + 2);
    expect(counter.atMost('the 日')).toBe(1 + 1 + 3);
  });

  it('leaves room for unigram models', () => {
    expect(counterOf({ ...sentencePiece, 'tokenizer.ggml.model': 't5' }).atMost('the the the the the')).toBe(6);
  });

  it('merges byte pairs by rank, within words', () => {
    const counter = counterOf({ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.merges': ['h e', 't he', 'Ġ the'] });
    expect(counter.atMost('the')).toBe(1);
    expect(counter.atMost(' the')).toBe(1);
    expect(counter.atMost('the the')).toBe(2);
    expect(counter.atMost('日')).toBe(3);
  });

  it('takes the longest WordPieces, and one token for a word with a foreign letter', () => {
    const counter = counterOf({ 'tokenizer.ggml.model': 'bert', 'tokenizer.ggml.tokens': ['▁un', 'able', '▁.', '▁日'] });
    expect(counter.atMost('Unable.')).toBe(3);
    expect(counter.atMost('unablex')).toBe(1);
    expect(counter.atMost('日日')).toBe(2);
  });

  it.each([{}, { 'tokenizer.ggml.model': 'rwkv' }, { 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.merges': null }])(
    'knows bytes alone of %j',
    (info) => expect(counterOf(info).atMost('a日')).toBe(4),
  );

  it('sees whether capitals are known', () => {
    const bert = (tokens: string[]) => ({ 'tokenizer.ggml.model': 'bert', 'tokenizer.ggml.tokens': tokens });
    expect(isUncased(bert(['[UNK]', '▁the']))).toBe(true);
    expect(isUncased(bert(['[UNK]', '▁the', '▁The']))).toBe(false);
    expect(isUncased(sentencePiece)).toBe(false);
  });
});
