import { Injectable } from '@nestjs/common';
import { Search } from '@features/vectors';
import { AppError } from '@kernel/errors';
import { AgentTool, type ToolReach } from './agent-tool';

export interface SearchArguments {
  query: string;
  collection?: string;
  limit?: number;
}

export interface FoundPassage {
  document_id: string;
  document: string;
  page?: number;
  start: number;
  end: number;
  score: number;
  /** Near enough to the query to be an answer's source. */
  found: boolean;
  text: string;
}

const LIMIT = 4;

/** Hybrid search in the collections that the agent may reach. */
@Injectable()
export class SearchCollectionTool extends AgentTool<SearchArguments> {
  readonly definition = {
    name: 'search_collection',
    description: 'Searches the documents and answers the passages that fit the query best.',
    parameters: {
      type: 'object',
      properties: {
        query: { type: 'string', minLength: 1, maxLength: 1000, description: 'What to look for, in words.' },
        collection: { type: 'string', maxLength: 63, description: 'Name of one collection; without it all are searched.' },
        limit: { type: 'integer', minimum: 1, maximum: 10, description: `Most passages (${LIMIT}).` },
      },
      required: ['query'],
      additionalProperties: false,
    },
  };

  constructor(private readonly searches: Search) {
    super();
  }

  async run({ query, collection, limit = LIMIT }: SearchArguments, reach: ToolReach): Promise<{ passages: FoundPassage[] }> {
    const collections =
      collection === undefined || collection === '' ? reach.collections : reach.collections.filter(({ name }) => name === collection);
    if (collections.length === 0)
      throw new AppError(
        'not_found',
        `There is no such collection here; there are: ${reach.collections.map(({ name }) => name).join(', ') || 'none'}.`,
      );
    const passages = await this.searches.search({ collections, query, limit, signal: reach.signal, account: reach.account });
    return {
      passages: passages.map(({ documentId, document, page, start, end, score, found, text }) => ({
        document_id: documentId,
        document,
        ...(page === null ? {} : { page }),
        start,
        end,
        score,
        found,
        text,
      })),
    };
  }
}
