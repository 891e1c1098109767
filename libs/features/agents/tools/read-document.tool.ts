import { Injectable } from '@nestjs/common';
import { Documents } from '@features/documents';
import { AppError } from '@kernel/errors';
import { AgentTool, type ToolReach } from './agent-tool';
import { PagesRepository } from './pages.repository';

export interface ReadArguments {
  document_id: string;
  start?: number;
  end?: number;
  page?: number;
}

export interface ReadText {
  document_id: string;
  document: string;
  start: number;
  end: number;
  /** Of the whole text. */
  length: number;
  text: string;
}

/** Most UTF-16 code units of one call. */
const MOST = 4_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;

/** A part of the text of a document in the agent's collections. */
@Injectable()
export class ReadDocumentTool extends AgentTool<ReadArguments> {
  readonly definition = {
    name: 'read_document',
    description: `Reads a part of a document: from start to end (offsets in its text) or a page; at most ${MOST} characters.`,
    parameters: {
      type: 'object',
      properties: {
        document_id: { type: 'string', maxLength: 36, description: 'The id that a search answered.' },
        start: { type: 'integer', minimum: 0 },
        end: { type: 'integer', minimum: 0 },
        page: { type: 'integer', minimum: 1, description: 'Instead of offsets.' },
      },
      required: ['document_id'],
      additionalProperties: false,
    },
  };

  constructor(
    private readonly documents: Documents,
    private readonly pages: PagesRepository,
  ) {
    super();
  }

  async run({ document_id: id, page, start, end }: ReadArguments, reach: ToolReach): Promise<ReadText> {
    if (!UUID.test(id)) throw AppError.notFound('The document');
    const document = await this.documents.get(reach.workspaceId, id);
    if (!reach.collections.some((collection) => collection.id === document.collectionId)) throw AppError.notFound('The document');
    const from = page === undefined ? { start: start ?? 0, end: end ?? Number.POSITIVE_INFINITY } : await this.pages.span(id, page);
    if (from === undefined) throw new AppError('not_found', `The document has no page ${page}.`);
    const slice = await this.documents.text(reach.workspaceId, id, from.start, Math.min(from.end, from.start + MOST));
    return { document_id: id, document: document.name, ...slice };
  }
}
