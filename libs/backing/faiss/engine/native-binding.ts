import { createRequire } from 'node:module';

/** A flat index of faiss-node 0.5.1: rows are numbered from 0 in the order in which they were added. */
export interface FlatIndex {
  ntotal(): number;
  /** Row-major; a whole number of rows. Plain numbers alone: typed arrays are refused. */
  add(rows: number[]): void;
  /** `most` from 1 to `ntotal`: anything else throws, or ends the process. */
  search(query: number[], most: number): { distances: number[]; labels: number[] };
}

export interface FaissBinding {
  IndexFlatIP: new (dimensions: number) => FlatIndex;
  IndexFlatL2: new (dimensions: number) => FlatIndex;
}

/** What people run when the native part is missing. */
export const BUILD_COMMAND = 'npm run faiss:build';

/** The native part cannot be loaded; the message says what to do. */
export class BindingError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`The native part of FAISS ${reason}: run \`${BUILD_COMMAND}\`, or set FAISS_BINDING to where it is.`, options);
    this.name = 'BindingError';
  }
}

/**
 * Loads faiss-node's own binary by its path, for its package looks only where its install script would have put it. Errors: `BindingError`.
 */
export function loadBinding(path: string | null): FaissBinding {
  if (path === null) throw new BindingError('is switched off (FAISS_BINDING=off)');
  const require = createRequire(__filename);
  try {
    const binding = require(path) as Partial<FaissBinding>;
    if (typeof binding.IndexFlatIP !== 'function' || typeof binding.IndexFlatL2 !== 'function')
      throw new Error('it is the binary of something else');
    return binding as FaissBinding;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'MODULE_NOT_FOUND' ? 'is missing' : `cannot be loaded (${message.replaceAll(path, 'the file')})`;
    throw new BindingError(reason, { cause: error });
  }
}
