/** Vectors of texts that were embedded before, the least recently used leaving first: questions come back to the same passages. */
export class TextVectors {
  private readonly vectors = new Map<string, Float32Array>();

  /** At most `capacity` vectors are kept. */
  constructor(private readonly capacity: number) {}

  /** The vectors of the texts in order; `embed` is asked for those that are not here, once each. */
  async of(model: string, texts: string[], embed: (missing: string[]) => Promise<Float32Array[]>): Promise<(Float32Array | undefined)[]> {
    const keyed = (text: string): string => `${model}\n${text}`;
    const known = new Map(texts.map((text) => [text, this.vectors.get(keyed(text))]));
    const missing = [...known].filter(([, vector]) => vector === undefined).map(([text]) => text);
    const made = missing.length === 0 ? [] : await embed(missing);
    missing.forEach((text, index) => known.set(text, made[index]));
    for (const [text, vector] of known) if (vector !== undefined) this.keep(keyed(text), vector);
    return texts.map((text) => known.get(text));
  }

  private keep(key: string, vector: Float32Array): void {
    this.vectors.delete(key);
    this.vectors.set(key, vector);
    if (this.vectors.size <= this.capacity) return;
    const [oldest] = this.vectors.keys();
    if (oldest !== undefined) this.vectors.delete(oldest);
  }
}
