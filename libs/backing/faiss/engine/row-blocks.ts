const FIRST_ROWS = 8;
const BLOCK_ROWS = 256;

/** Rows of float32 that grow without being copied: blocks of 256 rows, the first of them made larger step by step. */
export class RowBlocks {
  private readonly blocks: Float32Array[] = [];
  private count = 0;

  constructor(private readonly dimensions: number) {}

  append(vector: Float32Array): void {
    const block = this.blockFor(this.count);
    block.set(vector, (this.count % BLOCK_ROWS) * this.dimensions);
    this.count += 1;
  }

  row(row: number): Float32Array {
    const block = this.blocks[Math.floor(row / BLOCK_ROWS)];
    if (block === undefined || row >= this.count) throw new RangeError(`There is no row ${row}.`);
    const at = (row % BLOCK_ROWS) * this.dimensions;
    return block.subarray(at, at + this.dimensions);
  }

  private blockFor(row: number): Float32Array {
    const at = Math.floor(row / BLOCK_ROWS);
    const block = this.blocks[at];
    const rows = (block?.length ?? 0) / this.dimensions;
    if (block !== undefined && row % BLOCK_ROWS < rows) return block;
    const larger = new Float32Array(Math.min(BLOCK_ROWS, at > 0 ? BLOCK_ROWS : Math.max(FIRST_ROWS, rows * 2)) * this.dimensions);
    if (block !== undefined) larger.set(block);
    this.blocks[at] = larger;
    return larger;
  }
}
