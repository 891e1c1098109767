import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TinyTensor {
  dtype: string;
  shape: number[];
  values: Float32Array;
}

const WIDTH = 8;
const INNER = 12;
const PIECES = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'house', '##s', 'Ä', 'to', '##day'];
const SPECIAL = PIECES.slice(0, 5);

/** The weights of a BERT with two layers and eight dimensions, by their published names; every value differs. */
export function tinyWeights(): Record<string, TinyTensor> {
  let next = 0;
  const tensor = (...shape: number[]): TinyTensor => {
    const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
    for (let index = 0; index < values.length; index++) values[index] = Math.sin((next += 1)) / 3;
    return { dtype: 'F32', shape, values };
  };
  const weights: Record<string, TinyTensor> = {
    'embeddings.position_ids': { dtype: 'I64', shape: [1, 4], values: new Float32Array(8) },
    'embeddings.word_embeddings.weight': tensor(PIECES.length, WIDTH),
    'embeddings.position_embeddings.weight': tensor(4, WIDTH),
    'embeddings.token_type_embeddings.weight': tensor(2, WIDTH),
    'embeddings.LayerNorm.weight': tensor(WIDTH),
    'embeddings.LayerNorm.bias': tensor(WIDTH),
    'pooler.dense.weight': tensor(WIDTH, WIDTH),
    'pooler.dense.bias': tensor(WIDTH),
  };
  for (const layer of ['encoder.layer.0.', 'encoder.layer.1.']) {
    for (const part of ['attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense']) {
      weights[`${layer}${part}.weight`] = tensor(WIDTH, WIDTH);
      weights[`${layer}${part}.bias`] = tensor(WIDTH);
    }
    weights[`${layer}intermediate.dense.weight`] = tensor(INNER, WIDTH);
    weights[`${layer}intermediate.dense.bias`] = tensor(INNER);
    weights[`${layer}output.dense.weight`] = tensor(WIDTH, INNER);
    weights[`${layer}output.dense.bias`] = tensor(WIDTH);
    for (const part of ['attention.output.LayerNorm', 'output.LayerNorm']) {
      weights[`${layer}${part}.weight`] = tensor(WIDTH);
      weights[`${layer}${part}.bias`] = tensor(WIDTH);
    }
  }
  return weights;
}

export const TINY_CONFIG = {
  num_hidden_layers: 2,
  max_position_embeddings: 4,
  hidden_size: WIDTH,
  intermediate_size: INNER,
  num_attention_heads: 2,
  layer_norm_eps: 1e-12,
  type_vocab_size: 2,
};

/** Writes the model's folder as it is published: weights, tokenizer and settings. */
export function writeTinyBert(folder: string, weights = tinyWeights(), config: object = TINY_CONFIG): void {
  mkdirSync(join(folder, '1_Pooling'), { recursive: true });
  writeFileSync(join(folder, 'model.safetensors'), safetensors(weights));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, '1_Pooling', 'config.json'), JSON.stringify({ pooling_mode_mean_tokens: true }));
  const vocab = Object.fromEntries(PIECES.map((piece, id) => [piece, id]));
  const added = SPECIAL.map((content, id) => ({ id, content, special: true }));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ model: { type: 'WordPiece', vocab }, added_tokens: added }));
}

function safetensors(weights: Record<string, TinyTensor>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, values }] of Object.entries(weights)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + values.byteLength] };
    parts.push(Buffer.from(values.buffer));
    offset += values.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}
