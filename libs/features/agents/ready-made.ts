import { DEFAULT_COLLECTION } from '@features/vectors';
import { DEFAULT_LIMITS, type AgentFields } from './agent.entity';

/** The agent that every workspace begins with: it answers from the documents of the default collection and cites them. */
export const READY_MADE: AgentFields = {
  name: 'research',
  strategy: 'research',
  instructions: 'Answer from the documents only, briefly, with their own numbers and names.',
  model: null,
  tools: ['search_collection', 'read_document'],
  collections: [DEFAULT_COLLECTION],
  outputSchema: null,
  limits: DEFAULT_LIMITS,
};
