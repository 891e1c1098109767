import { VectorStores, type VectorStore } from '@kernel/vectors';

/** The stores that are set, and which of them is the usual one. */
export class ConnectedStores extends VectorStores {
  readonly usual: VectorStore;

  constructor(
    readonly all: readonly VectorStore[],
    usual: string,
  ) {
    super();
    const found = this.find(usual);
    if (found === undefined) throw new Error(`VECTOR_STORE names ${usual}, which is not among the connected stores.`);
    this.usual = found;
  }
}
