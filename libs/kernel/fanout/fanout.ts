export type FanoutListener = (message: string) => void;

/**
 * Port: short words for whoever listens now, in this process or in all of them (Redis). A hint and no more: nobody is told that a word was lost, so
 * what it says must be found again by asking the database.
 */
export abstract class Fanout {
  /** Never rejects and never waits; listeners of this process have heard it when it returns. */
  abstract publish(channel: string, message: string): void;
  /** Answers a function that ends the listening. */
  abstract subscribe(channel: string, listener: FanoutListener): () => void;
}
