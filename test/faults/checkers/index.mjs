// The invariants of the design (reliability: "Invariants"), each a question to what clients were told (the journal), what they read, and what the database
// holds once it is quiet. Facts: { query(text, values), journal, reads: Map of job id to the events that a client saw, queues: [{ name, messages }],
// generations: [{ key, last }] }.
import { answers } from './answers.mjs';
import { documents } from './documents.mjs';
import { jobs } from './jobs.mjs';

/** { invariant, says, kind?: lost | doubled, check(facts): what breaks it, as sentences }. */
export const CHECKERS = [...jobs, ...documents, ...answers];

/** Everything that is broken, as { invariant, kind, text }. */
export async function violations(facts) {
  const found = [];
  for (const { invariant, kind, check } of CHECKERS) for (const text of await check(facts)) found.push({ invariant, kind, text });
  return found;
}
