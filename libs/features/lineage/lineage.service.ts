import { Injectable } from '@nestjs/common';
import { Documents, type StoredDocument } from '@features/documents';
import { Graph, type LineageChunk, type LineagePage, type LineageQuery } from '@kernel/graph';
import type { Principal } from '@kernel/identity';
import { VisibleAnswersRepository } from './visible-answers.repository';

export interface DocumentLineage extends LineagePage {
  document: StoredDocument;
}

/**
 * From a document to its chunks to the answers that cited them. A copy may be a moment behind, so that the ledger has the last word on what the
 * caller may see. Errors: `not_found`, `invalid` (an unknown cursor), `unavailable`, `timeout`.
 */
@Injectable()
export class Lineage {
  constructor(
    private readonly documents: Documents,
    private readonly graph: Graph,
    private readonly answers: VisibleAnswersRepository,
  ) {}

  async of(principal: Principal, documentId: string, page: Pick<LineageQuery, 'limit' | 'after' | 'answers'>): Promise<DocumentLineage> {
    const { workspaceId, userId } = principal;
    const document = await this.documents.get(workspaceId, documentId);
    const lineage = await this.graph.lineage({ workspaceId, userId, documentId, ...page });
    if (this.graph.copy === null) return { document, ...lineage };
    return { document, ...lineage, chunks: await this.confirmed(principal, documentId, lineage.chunks) };
  }

  private async confirmed(principal: Principal, documentId: string, chunks: LineageChunk[]): Promise<LineageChunk[]> {
    const told = chunks.flatMap(({ answers }) => answers.map(({ id }) => id));
    const visible = await this.answers.of(principal, documentId, [...new Set(told)]);
    return chunks
      .map((chunk) => ({ ...chunk, answers: chunk.answers.filter(({ id }) => visible.has(id)) }))
      .filter(({ current, answers }) => current || answers.length > 0);
  }
}
