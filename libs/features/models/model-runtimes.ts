import type { ModelRuntime } from '@kernel/models';

/** The runtimes of this process, side by side; the first that has a model ready serves it. */
export abstract class ModelRuntimes {
  abstract readonly all: readonly ModelRuntime[];
}
