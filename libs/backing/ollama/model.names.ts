/** Catalogue slugs and the names under which Ollama's library has the same weights; the first is the one to pull. Another quantisation is another model. */
const NAMES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'smollm2-135m-instruct': ['smollm2:135m-instruct-q4_1'],
  'all-minilm-l6-v2': ['all-minilm:l6-v2', 'all-minilm:22m', 'all-minilm:22m-l6-v2-fp16', 'all-minilm:latest'],
  'qwen3-0.6b': ['qwen3:0.6b-q8_0'],
  'qwen3-1.7b': ['qwen3:1.7b-q8_0'],
  'qwen3-4b': ['qwen3:4b-q4_K_M'],
  'qwen3-8b': ['qwen3:8b', 'qwen3:8b-q4_K_M', 'qwen3:latest'],
};
const SLUG_LENGTH = 128;

/** The platform's id of a model on an Ollama server: of the catalogue when it has these weights, else made of the name. */
export function slugOf(name: string): string {
  const known = Object.entries(NAMES).find(([, names]) => names.some((one) => sameName(one, name)));
  if (known !== undefined) return known[0];
  return name
    .replace(/:latest$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9._:-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, SLUG_LENGTH);
}

/** The name to pull for a slug: the library's when the catalogue has it, else the slug, which was a name. */
export function nameOf(slug: string): string {
  return NAMES[slug]?.[0] ?? slug;
}

/** Whether Ollama's library has this slug's weights. */
export function hasName(slug: string): boolean {
  return NAMES[slug] !== undefined;
}

/** Ollama compares names without case, and `name` means `name:latest`. */
export function sameName(one: string, other: string): boolean {
  return fullName(one) === fullName(other);
}

function fullName(name: string): string {
  const lower = name.toLowerCase();
  return /:[^/]*$/.test(lower) ? lower : `${lower}:latest`;
}
