import type { EmbeddingTraits, ModelCard, ModelKind } from '@kernel/models';
import { traitsOf } from './embedding.traits';
import { slugOf } from './model.names';

/** What the platform's catalogue says about a model, whoever runs it. */
export interface KnownModel {
  slug: string;
  kind: ModelKind;
  grade?: 'starter';
  license: string;
  languages: string[];
  contextLength: number;
  repeatPenalty?: number;
  embedding?: EmbeddingTraits;
}

/** An entry of `/api/tags`. */
export interface TaggedModel {
  name: string;
  size: number;
  digest: string;
}

/** The answer of `/api/show`. */
export interface ShownModel {
  modelfile?: string;
  parameters?: string;
  template?: string;
  system?: string;
  license?: string;
  capabilities?: string[];
  model_info?: Record<string, unknown>;
}

/** Context of chat models that nobody sized; the server's own default would cut long prompts silently. */
const CONTEXT = 8_192;

/** One model on the server: its card, and what a call to it must say. */
export class OllamaModel {
  readonly card: Omit<ModelCard, 'state' | 'loaded'>;
  /** The same on every call: another value would make Ollama load the model again. */
  readonly contextLength: number;
  /** Stop strings of the Modelfile, which a request's own would replace. */
  readonly stops: string[];
  readonly template: string;
  readonly system: string;
  private readonly info: Record<string, unknown>;

  constructor(
    readonly tag: TaggedModel,
    shown: ShownModel,
    readonly known: KnownModel | undefined,
  ) {
    this.info = shown.model_info ?? {};
    this.template = shown.template ?? '';
    this.system = shown.system ?? '';
    const parameters = shown.parameters ?? '';
    this.stops = [...parameters.matchAll(/^stop\s+"?(.*?)"?$/gm)].map(([, stop = '']) => stop).filter((stop) => stop !== '');
    const kind = this.kindOf(shown);
    const own = this.number('context_length') ?? CONTEXT;
    const wished = known?.contextLength ?? Number(/^num_ctx\s+(\d+)$/m.exec(parameters)?.[1] ?? (kind === 'chat' ? CONTEXT : own));
    this.contextLength = Math.min(own, wished);
    this.card = {
      id: slugOf(tag.name),
      kind,
      runtime: 'ollama',
      ...(known?.grade === undefined ? {} : { grade: known.grade }),
      sizeBytes: tag.size,
      digest: weightsDigest(shown.modelfile ?? ''),
      license: known?.license ?? this.license(shown),
      languages: known?.languages ?? this.languages(),
      contextLength: this.contextLength,
      capabilities: kind === 'embedding' ? ['embedding'] : this.abilities(shown),
      ...(kind === 'embedding' ? { embedding: known?.embedding ?? this.traits() } : {}),
    };
  }

  get name(): string {
    return this.tag.name;
  }

  get thinks(): boolean {
    return this.card.capabilities.includes('thinking');
  }

  /** Tells these weights from others of the same name; by the whole model where its file is not named. */
  get weights(): string {
    return this.card.digest ?? `model:${this.tag.digest}`;
  }

  private kindOf({ capabilities = [] }: ShownModel): ModelKind {
    if (capabilities.includes('embedding')) return 'embedding';
    return this.number('pooling_type') !== undefined ? 'embedding' : 'chat';
  }

  /** Servers before 0.6.4 name no capabilities: there the template tells. */
  private abilities({ capabilities, template = '' }: ShownModel): string[] {
    const tools = capabilities === undefined ? template.includes('.Tools') : capabilities.includes('tools');
    const thinking = capabilities?.includes('thinking') === true;
    return ['chat', 'completion', 'json_schema', ...(tools ? ['tools'] : []), ...(thinking ? ['thinking'] : [])];
  }

  private traits(): EmbeddingTraits {
    return traitsOf(this.tag.name.toLowerCase(), this.number('embedding_length') ?? 0, this.contextLength, this.number('pooling_type'));
  }

  private license(shown: ShownModel): string {
    const named = this.info['general.license'];
    return (typeof named === 'string' ? named : (shown.license?.trim().split('\n')[0] ?? '')).trim().slice(0, 100) || 'unknown';
  }

  private languages(): string[] {
    const listed = this.info['general.languages'];
    return Array.isArray(listed) ? listed.filter((one): one is string => typeof one === 'string') : [];
  }

  /** A number of the file under its architecture's name. */
  private number(field: string): number | undefined {
    const value = this.info[`${String(this.info['general.architecture'])}.${field}`];
    return typeof value === 'number' ? value : undefined;
  }
}

/** The Modelfile names the file of the weights by its digest. */
function weightsDigest(modelfile: string): string | null {
  const found = /^FROM .*sha256[-:]([0-9a-f]{64})\s*$/m.exec(modelfile)?.[1];
  return found === undefined ? null : `sha256:${found}`;
}
