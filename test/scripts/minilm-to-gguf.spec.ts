import { mkdtempSync, readFileSync, rmSync, truncateSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGguf } from './gguf-reader';
import { loadScript } from './load-script';
import { TINY_CONFIG, type TinyTensor, tinyWeights, writeTinyBert } from './tiny-bert';

interface Converter {
  convertMiniLm(folder: string, outFile: string): void;
}

const F32 = 0;
const F16 = 1;

/** llama.cpp's name, the published name, and the type expected; the rest of the 2 × 16 layer tensors follow by pattern. */
const NAMES: [string, string, number][] = [
  ['token_embd.weight', 'embeddings.word_embeddings.weight', F16],
  ['position_embd.weight', 'embeddings.position_embeddings.weight', F32],
  ['token_types.weight', 'embeddings.token_type_embeddings.weight', F32],
  ['token_embd_norm.weight', 'embeddings.LayerNorm.weight', F32],
  ['token_embd_norm.bias', 'embeddings.LayerNorm.bias', F32],
  ...[0, 1].flatMap((layer) =>
    (
      [
        ['attn_q', 'attention.self.query', F16],
        ['attn_k', 'attention.self.key', F16],
        ['attn_v', 'attention.self.value', F16],
        ['attn_output', 'attention.output.dense', F16],
        ['ffn_up', 'intermediate.dense', F16],
        ['ffn_down', 'output.dense', F16],
        ['attn_output_norm', 'attention.output.LayerNorm', F32],
        ['layer_output_norm', 'output.LayerNorm', F32],
      ] as const
    ).flatMap(([short, long, type]): [string, string, number][] => [
      [`blk.${layer}.${short}.weight`, `encoder.layer.${layer}.${long}.weight`, type],
      [`blk.${layer}.${short}.bias`, `encoder.layer.${layer}.${long}.bias`, F32],
    ]),
  ),
];

describe('conversion of the embedding model to GGUF', () => {
  let convertMiniLm: Converter['convertMiniLm'];
  let folder: string;
  let outFile: string;

  beforeAll(async () => {
    ({ convertMiniLm } = await loadScript<Converter>('minilm-to-gguf.mjs'));
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tiny-bert-'));
    outFile = join(folder, 'out.gguf');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('writes the metadata that llama.cpp reads', () => {
    writeTinyBert(folder);
    convertMiniLm(folder, outFile);
    const { version, metadata } = readGguf(outFile);
    expect(version).toBe(3);
    expect(Object.fromEntries(metadata)).toEqual({
      'general.architecture': 'bert',
      'general.type': 'model',
      'general.name': 'all-MiniLM-L6-v2',
      'general.license': 'apache-2.0',
      'general.file_type': 1,
      'general.quantization_version': 2,
      'bert.block_count': 2,
      'bert.context_length': 4,
      'bert.embedding_length': 8,
      'bert.feed_forward_length': 12,
      'bert.attention.head_count': 2,
      'bert.attention.layer_norm_epsilon': Math.fround(1e-12),
      'bert.attention.causal': false,
      'bert.pooling_type': 1,
      'bert.normalize_embeddings': true,
      'tokenizer.ggml.model': 'bert',
      'tokenizer.ggml.pre': 'default',
      'tokenizer.ggml.token_type_count': 2,
      'tokenizer.ggml.tokens': ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '\u2581house', 's', '\u2581Ä', '\u2581to', 'day'],
      'tokenizer.ggml.token_type': [3, 3, 3, 3, 3, 1, 1, 1, 1, 1],
      'tokenizer.ggml.scores': Array.from({ length: 10 }, () => -1000),
      'tokenizer.ggml.bos_token_id': 2,
      'tokenizer.ggml.eos_token_id': 3,
      'tokenizer.ggml.unknown_token_id': 1,
      'tokenizer.ggml.seperator_token_id': 3,
      'tokenizer.ggml.padding_token_id': 0,
      'tokenizer.ggml.cls_token_id': 2,
      'tokenizer.ggml.mask_token_id': 4,
      'tokenizer.ggml.add_bos_token': true,
      'tokenizer.ggml.add_eos_token': true,
    });
  });

  it('carries every weight over, and nothing else', () => {
    const weights = tinyWeights();
    writeTinyBert(folder, weights);
    convertMiniLm(folder, outFile);
    const { tensors } = readGguf(outFile);
    expect([...tensors.keys()].sort()).toEqual(NAMES.map(([name]) => name).sort());
    for (const [name, published, type] of NAMES) {
      const { shape, values } = weights[published] as TinyTensor;
      const found = tensors.get(name);
      expect({ name, type: found?.type, shape: found?.shape, aligned: (found?.offset ?? 1) % 32 }).toEqual({
        name,
        type,
        shape: [...shape].reverse(),
        aligned: 0,
      });
      expect(found?.bytes).toEqual(type === F32 ? Buffer.from(values.buffer) : halves(values));
    }
  });

  it('rounds to half precision by the nearest value, ties to even', () => {
    const weights = tinyWeights();
    const words = weights['embeddings.word_embeddings.weight'] as TinyTensor;
    const inputs = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20, 65_519, 65_520, 2 ** -24, 2 ** -25, -0];
    words.values.set(inputs);
    writeTinyBert(folder, weights);
    convertMiniLm(folder, outFile);
    const bytes = readGguf(outFile).tensors.get('token_embd.weight')?.bytes as Buffer;
    const bits = inputs.map((_, index) => bytes.readUInt16LE(index * 2).toString(16));
    expect(bits).toEqual(['3c00', '3c02', '3c01', '7bff', '7c00', '1', '0', '8000']);
  });

  it('gives the same bytes again', () => {
    writeTinyBert(folder);
    convertMiniLm(folder, outFile);
    const first = readFileSync(outFile);
    convertMiniLm(folder, outFile);
    expect(readFileSync(outFile)).toEqual(first);
  });

  it.each([
    ['its last weight', -1, /cut off inside "encoder\.layer\.1/],
    ['its header', 40, /cut off inside its header/],
    ['its length', 5, /cut off inside its header/],
  ])('refuses a file cut off inside %s', (_where, length, message) => {
    writeTinyBert(folder);
    const path = join(folder, 'model.safetensors');
    truncateSync(path, length < 0 ? statSync(path).size + length : length);
    expect(() => convertMiniLm(folder, outFile)).toThrow(message);
  });

  it('refuses weights of another type than F32', () => {
    const weights = tinyWeights();
    (weights['encoder.layer.0.output.dense.bias'] as TinyTensor).dtype = 'BF16';
    writeTinyBert(folder, weights);
    expect(() => convertMiniLm(folder, outFile)).toThrow('"encoder.layer.0.output.dense.bias" is BF16; only F32 weights are converted');
  });

  it('refuses a shape that does not match its bytes', () => {
    const weights = tinyWeights();
    (weights['encoder.layer.0.output.dense.bias'] as TinyTensor).shape = [7];
    writeTinyBert(folder, weights);
    expect(() => convertMiniLm(folder, outFile)).toThrow(/has 32 bytes, its shape needs 28/);
  });

  it.each([
    ['another width', { hidden_size: 16 }, 'config.json says hidden_size 16, the weights have 8'],
    ['a layer too many', { num_hidden_layers: 3 }, 'model.safetensors lacks layer 2'],
    ['no number of heads', { num_attention_heads: undefined }, 'the model\'s settings lack what "bert.attention.head_count" needs'],
  ])('refuses settings with %s', (_what, change, message) => {
    writeTinyBert(folder, tinyWeights(), { ...TINY_CONFIG, ...change });
    expect(() => convertMiniLm(folder, outFile)).toThrow(message);
  });

  it('refuses a tokenizer of another kind and one without a special token', () => {
    writeTinyBert(folder);
    const path = join(folder, 'tokenizer.json');
    const tokenizer = JSON.parse(readFileSync(path, 'utf8')) as { model: { type: string; vocab: Record<string, number> } };
    writeFileSync(path, JSON.stringify({ ...tokenizer, model: { ...tokenizer.model, type: 'BPE' } }));
    expect(() => convertMiniLm(folder, outFile)).toThrow('tokenizer.json is of type BPE, not WordPiece');
    const { '[MASK]': mask = -1, ...others } = tokenizer.model.vocab;
    writeFileSync(path, JSON.stringify({ ...tokenizer, model: { ...tokenizer.model, vocab: { ...others, mask } } }));
    expect(() => convertMiniLm(folder, outFile)).toThrow('tokenizer.json has no [MASK]');
  });
});

/** Nearest half-precision values by plain arithmetic (normal range), independent of Float16Array. */
function halves(values: Float32Array): Buffer {
  const out = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => out.writeUInt16LE(half(value), index * 2));
  return out;
}

function half(value: number): number {
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const scaled = magnitude / 2 ** (exponent - 10);
  const low = Math.floor(scaled);
  const rest = scaled - low;
  const steps = rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
  // Ten bits of mantissa below the exponent: a carry of the mantissa raises the exponent by itself.
  const bits = steps >= 1024 ? ((exponent + 15) << 10) + (steps - 1024) : steps;
  return bits | (value < 0 ? 0x8000 : 0);
}
