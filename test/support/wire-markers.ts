// Which answer of a server means that it has acted. Loaded as it is by the fault runs (Node strips its types): nothing here that only a compiler can make.

/** Looks at both directions of one connection, from some moment on. */
export interface MarkerOfConnection {
  sent(bytes: Buffer): void;
  /** Where in these bytes the marked answer begins; undefined: it is not among them. */
  received(bytes: Buffer): number | undefined;
}

/** Makes one for each connection. */
export type WireMarker = () => MarkerOfConnection;

/** `type` and `payload` of one message, `size` bytes in all; undefined while it is not all there. */
interface Framing {
  (bytes: Buffer): { size: number; is: string } | undefined;
}

const TYPE_AND_LENGTH = 5;

/** PostgreSQL's backend messages: a letter, a length that counts itself, the content; `C COMMIT` for a CommandComplete, `Z T` for ReadyForQuery. */
const postgresFrames: Framing = (bytes) => {
  if (bytes.length < TYPE_AND_LENGTH) return undefined;
  const size = 1 + bytes.readUInt32BE(1);
  if (bytes.length < size) return undefined;
  const type = String.fromCharCode(bytes[0] ?? 0);
  if (type === 'Z') return { size, is: `Z ${bytes.toString('latin1', TYPE_AND_LENGTH, size)}` };
  return { size, is: type === 'C' ? `C ${bytes.toString('latin1', TYPE_AND_LENGTH, size - 1)}` : type };
};

const AMQP_METHOD = 1;
const AMQP_HEADER = 7;

/** AMQP 0-9-1 frames: type, channel, length, payload, end; `60.80` for the method basic.ack. */
const amqpFrames: Framing = (bytes) => {
  if (bytes.length < AMQP_HEADER) return undefined;
  const size = AMQP_HEADER + bytes.readUInt32BE(3) + 1;
  if (bytes.length < size) return undefined;
  const method = bytes[0] === AMQP_METHOD ? `${bytes.readUInt16BE(AMQP_HEADER)}.${bytes.readUInt16BE(AMQP_HEADER + 2)}` : '';
  return { size, is: method };
};

/**
 * The COMMIT of a transaction in which a statement held `statement`, or, outside of one, the completion of that statement itself. The text of a named
 * statement travels once for each connection: give such ones a connection that is new, or name the statement by another.
 */
export function commitAfter(statement: string): WireMarker {
  return () => {
    let seen = false;
    let inTransaction = false;
    const messages = new Messages(postgresFrames);
    return {
      sent(bytes) {
        const text = bytes.toString('latin1');
        if (/\bBEGIN\b|START TRANSACTION/.test(text)) inTransaction = true;
        if (text.includes(statement)) seen = true;
      },
      received: (bytes) =>
        messages.find(bytes, (is) => {
          if (is.startsWith('Z ')) inTransaction = is !== 'Z I';
          return seen && (is === 'C COMMIT' || (!inTransaction && is.startsWith('C ')));
        }),
    };
  };
}

/** The broker's confirm of a published message. */
export const publisherConfirm: WireMarker = () => marked(amqpFrames, (is) => is === '60.80');

/** The answer number `count` of a PostgreSQL server, counted from 1 from when it is put: an answer ends with ReadyForQuery. */
export function answerNumber(count: number): WireMarker {
  return () => {
    let ready = 0;
    return marked(postgresFrames, (is) => is.startsWith('Z ') && (ready += 1) === count);
  };
}

function marked(framing: Framing, wanted: (is: string) => boolean): MarkerOfConnection {
  const messages = new Messages(framing);
  return { sent: () => undefined, received: (bytes) => messages.find(bytes, wanted) };
}

/** Messages out of the bytes of one direction, however these were cut. */
class Messages {
  private readonly framing: Framing;
  private rest: Buffer = Buffer.alloc(0);

  constructor(framing: Framing) {
    this.framing = framing;
  }

  /** Where in the newest bytes the first wanted message begins; 0 when it began in earlier ones. */
  find(bytes: Buffer, wanted: (is: string) => boolean): number | undefined {
    const before = this.rest.length;
    const all = Buffer.concat([this.rest, bytes]);
    for (let at = 0; ; ) {
      const message = this.framing(all.subarray(at));
      if (message === undefined) {
        this.rest = all.subarray(at);
        return undefined;
      }
      if (wanted(message.is)) return Math.max(0, at - before);
      at += message.size;
    }
  }
}
