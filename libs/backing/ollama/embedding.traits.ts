import type { EmbeddingTraits } from '@kernel/models';

interface Family {
  name: RegExp;
  queryPrefix: string;
  documentPrefix: string;
  threshold: number;
}

const RETRIEVE = 'Represent this sentence for searching relevant passages: ';
/** What the makers of well-known families say about their prefixes; Ollama does not know them. */
const FAMILIES: readonly Family[] = [
  { name: /nomic-embed-text/, queryPrefix: 'search_query: ', documentPrefix: 'search_document: ', threshold: 0.55 },
  { name: /mxbai-embed|snowflake-arctic-embed|bge-(small|base|large)/, queryPrefix: RETRIEVE, documentPrefix: '', threshold: 0.5 },
  { name: /e5-/, queryPrefix: 'query: ', documentPrefix: 'passage: ', threshold: 0.75 },
  {
    name: /qwen3-embedding/,
    queryPrefix: 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:',
    documentPrefix: '',
    threshold: 0.4,
  },
  { name: /embeddinggemma/, queryPrefix: 'task: search result | query: ', documentPrefix: 'title: none | text: ', threshold: 0.4 },
];
/** For families that nobody calibrated. */
const THRESHOLD = 0.4;
/** Chunks are far shorter; longer inputs only cost memory. */
const LONGEST_INPUT = 8_192;
/** What a tokenizer adds around a text. */
const SPECIAL_TOKENS = 4;
/** `pooling_type` of GGUF. */
const POOLING: Readonly<Record<number, EmbeddingTraits['pooling']>> = { 1: 'mean', 2: 'cls', 3: 'last' };

/** The traits of an embedding model outside the catalogue, by its name and the numbers of its file. */
export function traitsOf(name: string, dimensions: number, context: number, pooling: unknown): EmbeddingTraits {
  const { queryPrefix, documentPrefix, threshold } = FAMILIES.find((family) => family.name.test(name)) ?? {
    queryPrefix: '',
    documentPrefix: '',
    threshold: THRESHOLD,
  };
  return {
    dimensions,
    maxInputTokens: Math.min(context, LONGEST_INPUT) - SPECIAL_TOKENS,
    pooling: POOLING[Number(pooling)] ?? 'mean',
    queryPrefix,
    documentPrefix,
    threshold,
  };
}
