import { readGguf } from '../scripts/gguf-reader';
import { EMBEDDING, describeModels, embeddingFile, openRuntime } from '../support/models';

const HEADS = 12;
const LAYERS = 6;
const EPSILON = 1e-12;
type Rows = Float32Array[];

/** A forward pass of BERT after its paper (Devlin et al. 2018, arXiv:1810.04805), mean pooled, over the weights of the GGUF file: plain loops, nothing of llama.cpp. */
class ReferenceBert {
  private readonly file = readGguf(embeddingFile);
  private readonly vocabulary = new Map((this.file.metadata.get('tokenizer.ggml.tokens') as string[]).map((piece, id) => [piece, id]));

  /** For lower-case ASCII words and full stops only. */
  embed(text: string): Float32Array {
    const ids = ['[CLS]', ...(text.match(/[a-z]+|\./g) ?? []).flatMap((word) => this.pieces(word)), '[SEP]'].map((piece) =>
      this.vocabulary.get(piece),
    );
    let rows = ids.map((id, position) => this.embedding(id ?? NaN, position));
    rows = this.normalised(rows, 'token_embd_norm');
    for (let layer = 0; layer < LAYERS; layer++) rows = this.layer(rows, `blk.${layer}.`);
    return rows[0]!.map((_, column) => rows.reduce((sum, row) => sum + row[column]!, 0) / rows.length);
  }

  private pieces(word: string): string[] {
    const pieces: string[] = [];
    for (let start = 0; start < word.length; ) {
      let end = word.length;
      const piece = (): string => (start === 0 ? '\u2581' : '') + word.slice(start, end);
      while (!this.vocabulary.has(piece())) end -= 1;
      pieces.push(piece());
      start = end;
    }
    return pieces;
  }

  private embedding(id: number, position: number): Float32Array {
    const [tokens, positions, types] = ['token_embd', 'position_embd', 'token_types'].map((name) => this.values(`${name}.weight`));
    return Float32Array.from({ length: 384 }, (_, k) => tokens![id * 384 + k]! + positions![position * 384 + k]! + types![k]!);
  }

  private layer(rows: Rows, name: string): Rows {
    const [query, key, value] = ['attn_q', 'attn_k', 'attn_v'].map((part) => this.linear(rows, name + part));
    const attended = this.linear(attention(query!, key!, value!), `${name}attn_output`);
    const middle = this.normalised(added(rows, attended), `${name}attn_output_norm`);
    const wide = this.linear(middle, `${name}ffn_up`).map((row) => row.map(gelu));
    return this.normalised(added(middle, this.linear(wide, `${name}ffn_down`)), `${name}layer_output_norm`);
  }

  private linear(rows: Rows, name: string): Rows {
    const weight = this.values(`${name}.weight`);
    const bias = this.values(`${name}.bias`);
    return rows.map((row) =>
      bias.map((start, out) => {
        let sum = start;
        for (let k = 0; k < row.length; k++) sum += row[k]! * weight[out * row.length + k]!;
        return sum;
      }),
    );
  }

  private normalised(rows: Rows, name: string): Rows {
    const weight = this.values(`${name}.weight`);
    const bias = this.values(`${name}.bias`);
    return rows.map((row) => {
      const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
      const deviation = Math.sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length + EPSILON);
      return row.map((x, k) => ((x - mean) / deviation) * weight[k]! + bias[k]!);
    });
  }

  private readonly cache = new Map<string, Float32Array>();
  private values(name: string): Float32Array {
    const known = this.cache.get(name) ?? this.read(name);
    this.cache.set(name, known);
    return known;
  }

  private read(name: string): Float32Array {
    const tensor = this.file.tensors.get(name);
    if (tensor === undefined) throw new Error(`no tensor ${name}`);
    const { bytes, type } = tensor;
    if (type === 0) return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
    return Float32Array.from({ length: bytes.length / 2 }, (_, index) => half(bytes.readUInt16LE(index * 2)));
  }
}

function attention(query: Rows, key: Rows, value: Rows): Rows {
  const width = 384 / HEADS;
  const out = query.map(() => new Float32Array(384));
  for (let head = 0; head < HEADS; head++) {
    const columns = Array.from({ length: width }, (_, index) => head * width + index);
    query.forEach((q, i) => {
      const scores = key.map((k) => columns.reduce((sum, c) => sum + q[c]! * k[c]!, 0) / Math.sqrt(width));
      const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const c of columns) out[i]![c] = value.reduce((sum, v, j) => sum + (weights[j]! / total) * v[c]!, 0);
    });
  }
  return out;
}

const added = (a: Rows, b: Rows): Rows => a.map((row, i) => row.map((x, k) => x + b[i]![k]!));
const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describeModels('the converted embedding model', () => {
  it('gives the vectors of an independent forward pass', async () => {
    const reference = new ReferenceBert();
    const runtime = openRuntime();
    const texts = ['the crane lifts nine tonnes.', 'unquestionably reparametrised zygotes hum', 'sea'];
    const { vectors } = await runtime.embed({ model: EMBEDDING, texts, input: 'document', signal: new AbortController().signal });
    await runtime.onApplicationShutdown();
    for (const [index, text] of texts.entries()) {
      const expected = reference.embed(text);
      const length = Math.sqrt(expected.reduce((sum, x) => sum + x * x, 0));
      const cosine = vectors[index]!.reduce((sum, x, k) => sum + (x * expected[k]!) / length, 0);
      expect(cosine).toBeGreaterThan(0.9999);
    }
  });
});
