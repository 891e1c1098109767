import { connect, type Socket } from 'node:net';

/** An answer as it came over the wire. */
export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  /** Names in the order and the number in which they came. */
  names: string[];
  body: string;
}

export interface Exchange {
  answers: RawAnswer[];
  /** Bytes that belong to no answer. */
  rest: string;
  /** By the server, in time. */
  closed: boolean;
  /** Milliseconds from the first byte to the end of the connection. */
  milliseconds: number;
}

const MOST_MS = 8_000;

/**
 * Sends bytes as they are and reads until the server closes the connection, or for eight seconds. `pieces` go out one after the other, each in a
 * write of its own. `bodiless` are the places of the answers to HEAD.
 */
export async function exchange(
  url: string,
  pieces: string | Buffer | readonly (string | Buffer)[],
  bodiless: readonly number[] = [],
): Promise<Exchange> {
  const { port } = new URL(url);
  const begun = performance.now();
  const socket = connect(Number(port), '127.0.0.1');
  socket.setNoDelay(true);
  const received = allOf(socket);
  for (const piece of [pieces].flat()) {
    if (socket.destroyed) break;
    await new Promise<void>((resolve) => socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, () => resolve()));
  }
  const { bytes, closed } = await received;
  return { ...answersIn(bytes, bodiless), closed, milliseconds: performance.now() - begun };
}

function allOf(socket: Socket): Promise<{ bytes: Buffer; closed: boolean }> {
  const chunks: Buffer[] = [];
  let closed = true;
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      closed = false;
      socket.destroy();
    }, MOST_MS);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A server that closes while bytes are on their way to it resets the connection.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(late);
      resolve({ bytes: Buffer.concat(chunks), closed });
    });
  });
}

function answersIn(bytes: Buffer, bodiless: readonly number[]): Pick<Exchange, 'answers' | 'rest'> {
  const answers: RawAnswer[] = [];
  let text = bytes.toString('latin1');
  for (;;) {
    const head = /^HTTP\/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text);
    if (head === null) return { answers, rest: text };
    const lines = (head[2] ?? '').split('\r\n').filter((line) => line !== '');
    const pairs = lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]);
    const headers = Object.fromEntries(pairs);
    const status = Number(head[1]);
    const after = text.slice(head[0].length);
    const { body, rest } =
      status < 200 || status === 204 || bodiless.includes(answers.length) ? { body: '', rest: after } : bodyOf(headers, after);
    answers.push({ status, headers, names: pairs.map(([name]) => name), body });
    text = rest;
  }
}

function bodyOf(headers: Record<string, string>, text: string): { body: string; rest: string } {
  if (headers['content-length'] !== undefined) {
    const length = Number(headers['content-length']);
    return { body: Buffer.from(text.slice(0, length), 'latin1').toString('utf8'), rest: text.slice(length) };
  }
  if (headers['transfer-encoding'] !== 'chunked') return { body: text, rest: '' };
  let body = '';
  let rest = text;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(rest);
    if (size === null) return { body, rest: '' };
    const length = Number.parseInt(size[1] ?? '0', 16);
    body += rest.slice(size[0].length, size[0].length + length);
    rest = rest.slice(size[0].length + length + 2);
    if (length === 0) return { body, rest };
  }
}
