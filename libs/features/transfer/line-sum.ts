import { createHash } from 'node:crypto';

/** Counts lines and hashes them with their ends. */
export class LineSum {
  private readonly hash = createHash('sha256');
  private lines = 0;

  take(line: string): void {
    this.lines += 1;
    this.hash.update(line).update('\n');
  }

  /** Once, at the end. */
  result(): { rows: number; sha256: string } {
    return { rows: this.lines, sha256: this.hash.digest('hex') };
  }
}
