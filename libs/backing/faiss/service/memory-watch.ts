/** What a process without any vector needs, and what may be in use for a while beyond the vectors. */
const BASE_BYTES = 160 * 1_048_576;
const SLACK_BYTES = 384 * 1_048_576;
/** Each vector lies here once and in FAISS once more; buffers on their way, and rows about to be laid out anew, come to half of that. */
const COPIES = 3;

/**
 * Whether the process has grown far beyond what its vectors need: faiss-node never frees the query of a search. Then it is cheaper to begin anew
 * from the files. All in bytes.
 */
export function outgrown(resident: number, vectors: number, slack = SLACK_BYTES): boolean {
  return resident > BASE_BYTES + COPIES * vectors + slack;
}
