import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { decodePayload, FRAME_BYTES, HEADER_BYTES, type IndexRecord, isHeader, MOST_PAYLOAD_BYTES } from './records';

const WINDOW_BYTES = 1_048_576;

/** Reads a file of records from its beginning; `length` is where the last whole record ended. */
export class RecordReader {
  /** Bytes of the file that hold whole records, the header among them; 0 when not even the header is whole. */
  length = 0;
  private window: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  private at = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly dimensions: number,
  ) {}

  /** Every whole record in order, up to the end or to the first that is torn. */
  async *records(): AsyncGenerator<IndexRecord> {
    const header = await this.take(HEADER_BYTES);
    if (header === undefined || !isHeader(header, this.dimensions)) return;
    this.length = HEADER_BYTES;
    for (;;) {
      const frame = await this.take(FRAME_BYTES);
      if (frame === undefined) return;
      const [bytes, checksum] = [frame.readUInt32LE(0), frame.readUInt32LE(4)];
      if (bytes > MOST_PAYLOAD_BYTES) return;
      const payload = await this.take(bytes);
      if (payload === undefined || crc32(payload) !== checksum) return;
      const record = decodePayload(payload, this.dimensions);
      if (record === undefined) return;
      this.length += FRAME_BYTES + bytes;
      yield record;
    }
  }

  /** The next so many bytes; undefined when the file ends before. */
  private async take(bytes: number): Promise<Buffer | undefined> {
    if (this.window.length < bytes) {
      const more = Buffer.alloc(Math.max(WINDOW_BYTES, bytes - this.window.length));
      let read = 0;
      while (read < more.length) {
        const { bytesRead } = await this.file.read(more, read, more.length - read, this.at);
        if (bytesRead === 0) break;
        read += bytesRead;
        this.at += bytesRead;
      }
      this.window = Buffer.concat([this.window, more.subarray(0, read)]);
    }
    if (this.window.length < bytes) return undefined;
    const taken = this.window.subarray(0, bytes);
    this.window = this.window.subarray(bytes);
    return taken;
  }
}
