import { CATALOGUE, defaultThreads, fetchCommand } from '@backing/llama-cpp';

export interface StrongerModel {
  slug: string;
  /** Bytes to download, as published. */
  downloadBytes: number;
  license: string;
  /** What a person types to get it. */
  fetch: string;
  /** The setting that makes it the default. */
  setting: string;
}

/** What the platform itself needs beside a model, with room for the operating system. */
const BESIDE = 2.5e9;
/** Each token reads all weights once: at about 8 GB/s for a core this leaves 4 tokens a second. */
const BYTES_PER_THREAD = 2e9;

/**
 * The largest chat model of the catalogue, beyond the starter, that fits a machine's memory (weights, context, platform) and is not too slow for
 * its processor; undefined when none does.
 */
export function strongerModel(totalMemoryBytes: number, threads = defaultThreads()): StrongerModel | undefined {
  const fitting = CATALOGUE.filter(({ kind, grade, bytes, contextLength, contextBytesPerToken = 0 }) => {
    const memory = bytes * 1.1 + contextLength * contextBytesPerToken + BESIDE;
    return kind === 'chat' && grade !== 'starter' && memory <= totalMemoryBytes && bytes <= threads * BYTES_PER_THREAD;
  });
  const best = fitting.sort((a, b) => b.bytes - a.bytes)[0];
  if (best === undefined) return undefined;
  return {
    slug: best.slug,
    downloadBytes: best.bytes,
    license: best.license,
    fetch: fetchCommand(best),
    setting: `CHAT_MODEL=${best.slug}`,
  };
}
