import { Logger } from '@nestjs/common';
import { JointWork, Until } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { ModelCard } from '@kernel/models';
import { fetchCommand, type CatalogueEntry } from './catalogue';
import type { ModelFile, ModelFiles } from './model.files';

/** Milliseconds for which a file that could not be loaded is not tried again, unless it changes. */
const FAILURE_LASTS = 30_000;

interface Failure {
  reason: string;
  modifiedMs: number;
  at: number;
}

/**
 * One model of the catalogue: what is true about it, and its weights, loaded at the first use, once for all who wait; no longer when nobody waits.
 * Errors of `get`: `unavailable` (no file, with the command that fetches it; a file that cannot be loaded, with the reason), `timeout`, `cancelled`.
 */
export class ModelSlot<Model extends { close(): Promise<void> }> {
  private readonly logger = new Logger(ModelSlot.name);
  private readonly loading = new JointWork(
    (signal) => this.load(signal),
    () => new Until(this.coldSeconds, `Loading the model ${this.entry.slug}`),
  );
  private loaded?: Model;
  private failure?: Failure;

  constructor(
    readonly entry: CatalogueEntry,
    private readonly files: ModelFiles,
    private readonly open: (path: string, signal: AbortSignal) => Promise<Model>,
    private readonly coldSeconds: number,
  ) {}

  async get(signal: AbortSignal): Promise<Model> {
    if (this.loaded !== undefined) return this.loaded;
    return this.loading.join(signal);
  }

  async card(): Promise<ModelCard> {
    const { entry } = this;
    const file = await this.files.find(entry);
    return {
      id: entry.slug,
      kind: entry.kind,
      runtime: 'llama.cpp',
      grade: entry.grade,
      state: this.stateOf(file),
      loaded: this.loaded !== undefined,
      sizeBytes: file?.bytes ?? entry.bytes,
      digest: file?.digest ?? (entry.sha256 === undefined ? null : `sha256:${entry.sha256}`),
      license: entry.license,
      languages: entry.languages,
      contextLength: entry.contextLength,
      capabilities: capabilitiesOf(entry),
      embedding: entry.embedding,
    };
  }

  async close(): Promise<void> {
    await this.loading.settled;
    await this.loaded?.close();
    this.loaded = undefined;
  }

  private stateOf(file: ModelFile | undefined): ModelCard['state'] {
    if (file === undefined) return 'missing';
    return this.loaded === undefined && this.failure?.modifiedMs === file.modifiedMs ? 'failed' : 'ready';
  }

  private async load(signal: AbortSignal): Promise<Model> {
    const { slug } = this.entry;
    const file = await this.files.find(this.entry);
    if (file === undefined) {
      throw new AppError('unavailable', `The model ${slug} is not on this machine: run \`${fetchCommand(this.entry)}\`.`, {
        retryable: false,
      });
    }
    const failure = this.failure;
    if (failure?.modifiedMs === file.modifiedMs && performance.now() - failure.at < FAILURE_LASTS) throw this.failed(failure.reason);
    try {
      this.loaded = await this.open(file.path, signal);
      this.failure = undefined;
      return this.loaded;
    } catch (error) {
      if (error instanceof AppError || signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.error(`The model ${slug} cannot be loaded: ${reason}`);
      this.failure = { reason, modifiedMs: file.modifiedMs, at: performance.now() };
      throw this.failed(reason, error);
    }
  }

  private failed(reason: string, cause?: unknown): AppError {
    const mend = `remove ${this.entry.file} from MODELS_DIR and run \`${fetchCommand(this.entry)}\``;
    return new AppError('unavailable', `The model ${this.entry.slug} cannot be loaded (${publicReason(reason)}): ${mend}.`, {
      retryable: false,
      cause,
    });
  }
}

/** The first line without paths of this machine. */
function publicReason(reason: string): string {
  return (reason.split('\n')[0] ?? '').replace(/"?(?:[A-Za-z]:)?[\\/][^\s"]*"?/g, 'the file').replace(/\.$/, '');
}

function capabilitiesOf({ kind, thinking }: CatalogueEntry): string[] {
  if (kind === 'embedding') return ['embedding'];
  return ['chat', 'completion', 'json', 'json_schema', ...(thinking === true ? ['thinking'] : [])];
}
