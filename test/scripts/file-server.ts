import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Served {
  bytes: Buffer;
  etag?: string;
  /** The first answer with the whole file sends this many bytes and is then lost, once `cut` resolves. */
  cutAfter?: number;
  cut?: Promise<void>;
  /** Whether Range requests are honoured; a server may also ignore them. */
  ranges?: boolean;
}

/** A loopback file server with entity tags and ranges; notes what was asked of it. */
export class FileServer {
  readonly requests: string[] = [];
  /** Accepts connections and never answers. */
  silent = false;
  private readonly server: Server;

  private constructor(private readonly files: Record<string, Served>) {
    this.server = createServer((request, response) => {
      if (this.silent) return;
      const name = (request.url ?? '').slice(1);
      this.requests.push([name, request.headers.range].filter(Boolean).join(' '));
      const file = this.files[name];
      if (!file) return void response.writeHead(404).end('not here');
      const range = file.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      const start = Number(range?.[1] ?? 0);
      const end = range?.[2] ? Number(range[2]) + 1 : file.bytes.length;
      if (file.etag) response.setHeader('etag', file.etag);
      if (range) response.setHeader('content-range', `bytes ${start}-${end - 1}/${file.bytes.length}`);
      response.writeHead(range ? 206 : 200, { 'content-length': end - start });
      if (range || file.cutAfter === undefined) return void response.end(file.bytes.subarray(start, end));
      response.write(file.bytes.subarray(0, file.cutAfter));
      delete file.cutAfter;
      void file.cut?.then(() => response.destroy());
    });
  }

  static async start(files: Record<string, Served>): Promise<FileServer> {
    const server = new FileServer(files);
    await new Promise<void>((done) => server.server.listen(0, '127.0.0.1', done));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
