import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TENSOR_F16, TENSOR_F32, arrayEntry, entry, writeGguf } from './files/gguf.mjs';
import { exitWith, isProgram } from './toolchain/process.mjs';

// What GGUF calls the kinds of tokens, of pooling and of files.
const TOKEN_NORMAL = 1;
const TOKEN_CONTROL = 3;
const POOLING_MEAN = 1;
const POOLING_CLS = 2;
const MOSTLY_F16 = 1;

/** From the names of the published BERT weights to those llama.cpp looks up for the architecture "bert"; the order matters. */
const RENAMES = [
  [/^bert\./, ''],
  [/^encoder\.layer\./, 'blk.'],
  [/^embeddings\.word_embeddings/, 'token_embd'],
  [/^embeddings\.token_type_embeddings/, 'token_types'],
  [/^embeddings\.LayerNorm/, 'token_embd_norm'],
  [/^embeddings\.position_embeddings/, 'position_embd'],
  [/attention\.self\.query/, 'attn_q'],
  [/attention\.self\.key/, 'attn_k'],
  [/attention\.self\.value/, 'attn_v'],
  [/attention\.output\.dense/, 'attn_output'],
  [/attention\.output\.LayerNorm/, 'attn_output_norm'],
  [/intermediate\.dense/, 'ffn_up'],
  [/output\.dense/, 'ffn_down'],
  [/output\.LayerNorm/, 'layer_output_norm'],
];

/** Small matrices that llama.cpp adds to the token embeddings and therefore wants in full precision. */
const KEPT_F32 = new Set(['token_types.weight', 'position_embd.weight']);

/** Not weights of the encoder: an index table, and a head that mean pooling does not use. */
const LEFT_OUT = /^(bert\.)?(embeddings\.position_ids$|pooler\.)/;

/**
 * Writes the sentence-embedding model in `folder` (model.safetensors with F32 weights, tokenizer.json, config.json,
 * 1_Pooling/config.json) as one GGUF file that llama.cpp and Ollama load as "bert", matrices in half precision. The same input
 * always gives the same bytes. Throws an Error with a sentence when the input is cut off or of another kind.
 */
export function convertMiniLm(folder, outFile) {
  const config = readJson(join(folder, 'config.json'));
  const pooling = readJson(join(folder, '1_Pooling', 'config.json'));
  const vocabulary = readVocabulary(readJson(join(folder, 'tokenizer.json')));
  const tensors = readTensors(join(folder, 'model.safetensors')).map(toGgufTensor);
  checkShapes(tensors, config, vocabulary);
  const metadata = describe(config, pooling, vocabulary);
  writeGguf(outFile, tensors, metadata);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} cannot be read as JSON: ${error.message}`, { cause: error });
  }
}

/** The word pieces by id, with llama.cpp's marking: a piece that starts a word gets U+2581, one that continues it loses its "##". */
function readVocabulary({ model, added_tokens: added }) {
  if (model?.type !== undefined && model.type !== 'WordPiece') throw new Error(`tokenizer.json is of type ${model.type}, not WordPiece`);
  const ids = model?.vocab;
  if (!ids || !Array.isArray(added)) throw new Error('tokenizer.json lacks model.vocab or added_tokens');
  const pieces = [];
  for (const [piece, id] of Object.entries(ids)) pieces[id] = piece;
  if (pieces.length !== Object.keys(ids).length || pieces.includes(undefined)) throw new Error('tokenizer.json has gaps in its ids');
  const special = new Set(added.filter((token) => token.special).map((token) => token.content));
  const types = pieces.map((piece) => (special.has(piece) ? TOKEN_CONTROL : TOKEN_NORMAL));
  const marked = pieces.map((piece) => {
    if (special.has(piece)) return piece;
    return piece.startsWith('##') ? piece.slice(2) : `\u2581${piece}`;
  });
  return { ids, types, marked };
}

/** The tensors of a safetensors file: 8 bytes of header length, a JSON header, then the bytes it points into. */
function readTensors(path) {
  const bytes = readFileSync(path);
  const headerBytes = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : Infinity;
  const start = 8 + headerBytes;
  if (start > bytes.length) throw new Error(`${path} is cut off inside its header`);
  const header = JSON.parse(bytes.toString('utf8', 8, start));
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__' && !LEFT_OUT.test(name))
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        if (dtype !== 'F32') throw new Error(`${path}: "${name}" is ${dtype}; only F32 weights are converted`);
        if (start + to > bytes.length) throw new Error(`${path} is cut off inside "${name}"`);
        const expected = shape.reduce((product, length) => product * length, 4);
        if (to - from !== expected) throw new Error(`${path}: "${name}" has ${to - from} bytes, its shape needs ${expected}`);
        // Copied: a Float32Array may only start at a multiple of four bytes.
        return { name, shape, values: new Float32Array(new Uint8Array(bytes.subarray(start + from, start + to)).buffer) };
      },
    );
}

function toGgufTensor({ name, shape, values }) {
  const renamed = RENAMES.reduce((text, [from, to]) => text.replace(from, to), name);
  const half = shape.length === 2 && !KEPT_F32.has(renamed);
  // Float16Array rounds to nearest, ties to even, as IEEE 754 asks.
  const numbers = half ? new Float16Array(values) : values;
  return {
    name: renamed,
    // GGUF lists the fastest-moving dimension first.
    shape: [...shape].reverse(),
    type: half ? TENSOR_F16 : TENSOR_F32,
    bytes: Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength),
  };
}

function checkShapes(tensors, config, vocabulary) {
  const embeddings = tensors.find(({ name }) => name === 'token_embd.weight');
  if (!embeddings) throw new Error('model.safetensors has no word embeddings: it is not a BERT encoder');
  const [width, words] = embeddings.shape;
  if (width !== config.hidden_size) throw new Error(`config.json says hidden_size ${config.hidden_size}, the weights have ${width}`);
  if (words !== vocabulary.marked.length)
    throw new Error(`tokenizer.json has ${vocabulary.marked.length} tokens, the weights have ${words}`);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    if (!tensors.some(({ name }) => name.startsWith(`blk.${layer}.`))) throw new Error(`model.safetensors lacks layer ${layer}`);
  }
}

function describe(config, pooling, vocabulary) {
  return [...describeEncoder(config, pooling), ...describeTokenizer(config, vocabulary), entry('general.quantization_version', 'u32', 2)];
}

function describeEncoder(config, pooling) {
  return [
    entry('general.architecture', 'string', 'bert'),
    entry('general.type', 'string', 'model'),
    entry('general.name', 'string', 'all-MiniLM-L6-v2'),
    entry('general.license', 'string', 'apache-2.0'),
    entry('general.file_type', 'u32', MOSTLY_F16),
    entry('bert.block_count', 'u32', config.num_hidden_layers),
    entry('bert.context_length', 'u32', config.max_position_embeddings),
    entry('bert.embedding_length', 'u32', config.hidden_size),
    entry('bert.feed_forward_length', 'u32', config.intermediate_size),
    entry('bert.attention.head_count', 'u32', config.num_attention_heads),
    entry('bert.attention.layer_norm_epsilon', 'f32', config.layer_norm_eps),
    entry('bert.attention.causal', 'bool', false),
    entry('bert.pooling_type', 'u32', pooling.pooling_mode_mean_tokens ? POOLING_MEAN : POOLING_CLS),
    entry('bert.normalize_embeddings', 'bool', true),
  ];
}

function describeTokenizer(config, { ids, types, marked }) {
  const id = (token) => {
    if (ids[token] === undefined) throw new Error(`tokenizer.json has no ${token}`);
    return ids[token];
  };
  // Word pieces have no scores; llama.cpp wants one for each all the same.
  const scores = types.map(() => -1000);
  return [
    entry('tokenizer.ggml.model', 'string', 'bert'),
    entry('tokenizer.ggml.pre', 'string', 'default'),
    entry('tokenizer.ggml.token_type_count', 'u32', config.type_vocab_size),
    arrayEntry('tokenizer.ggml.tokens', 'string', marked),
    arrayEntry('tokenizer.ggml.token_type', 'i32', types),
    arrayEntry('tokenizer.ggml.scores', 'f32', scores),
    entry('tokenizer.ggml.bos_token_id', 'u32', id('[CLS]')),
    entry('tokenizer.ggml.eos_token_id', 'u32', id('[SEP]')),
    entry('tokenizer.ggml.unknown_token_id', 'u32', id('[UNK]')),
    // Spelt so by the format.
    entry('tokenizer.ggml.seperator_token_id', 'u32', id('[SEP]')),
    entry('tokenizer.ggml.padding_token_id', 'u32', id('[PAD]')),
    entry('tokenizer.ggml.cls_token_id', 'u32', id('[CLS]')),
    entry('tokenizer.ggml.mask_token_id', 'u32', id('[MASK]')),
    entry('tokenizer.ggml.add_bos_token', 'bool', true),
    entry('tokenizer.ggml.add_eos_token', 'bool', true),
  ];
}

if (isProgram(import.meta.url)) {
  await exitWith(() => {
    const [folder, outFile] = process.argv.slice(2);
    if (!outFile) throw new Error('usage: node scripts/minilm-to-gguf.mjs <folder> <out.gguf>');
    convertMiniLm(folder, outFile);
  });
}
