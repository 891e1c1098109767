import { AppError } from '@kernel/errors';

/** An answer as it left: its status, the headers that belong to it, its bytes. */
export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** What is known of a request that came before under the same key. */
export interface KeptRequest {
  /** SHA-256 of what was asked. */
  fingerprint: Buffer;
  /** Null where it held a secret, and while the work that was accepted is only watched or waited for. */
  answer: KeptAnswer | null;
  /** What was accepted, where another answer can be made of it. */
  accepted: object | null;
}

/** Ends a request that another one with its key was faster than. Whoever answers requests answers with what is kept; as an error it says 409. */
export class Repeated extends AppError {
  constructor(readonly kept: KeptRequest) {
    super('idempotency_in_progress', 'A request with this Idempotency-Key was answered a moment ago; repeat it to get that answer.');
  }
}
