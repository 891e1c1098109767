import { Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiTags } from '@nestjs/swagger';
import { DocumentRemoval, Documents } from '@features/documents';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { jobView } from '../jobs/jobs.schema';
import { DocumentRequests } from './document-requests.service';
import {
  acceptedDocumentSchema,
  CREATE_CONTENT,
  documentListSchema,
  documentSchema,
  documentView,
  listDocumentsQuery,
  textQuery,
  textSliceSchema,
  type ListDocumentsQuery,
  type TextQuery,
} from './documents.schema';

/** The documents of a workspace. */
@ApiTags('documents')
@Controller('api/v1/documents')
export class DocumentsController {
  constructor(
    private readonly requests: DocumentRequests,
    private readonly documents: Documents,
    private readonly removal: DocumentRemoval,
  ) {}

  @Post()
  @HttpCode(202)
  @Access('documents:write', 'editor', { uploads: true, spends: true })
  @ApiOperation({ summary: 'Add a document: a file, or a text as JSON; it is read in the background.' })
  @ApiConsumes('multipart/form-data', 'application/json')
  @ApiBody(CREATE_CONTENT)
  @Answers(202, acceptedDocumentSchema, 'The document and the job that reads it.')
  @Answers(200, acceptedDocumentSchema, 'The collection has the same bytes already: that document.')
  @Problems('not_found', 'conflict', 'too_large', 'unsupported_media_type', 'unprocessable', 'storage_full')
  async create(@Req() request: FastifyRequest, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    const { document, job } = await this.requests.create(request, principal);
    if (job === null) void reply.code(200);
    else void reply.header('Location', `/api/v1/jobs/${job.id}`);
    return { document: documentView(document), job: job === null ? null : jobView(job) };
  }

  @Get()
  @Access('documents:read')
  @ApiOperation({ summary: 'List documents, newest first.' })
  @Answers(200, documentListSchema, 'A page of documents.')
  @Problems('not_found')
  async list(@Query({ schema: listDocumentsQuery }) query: ListDocumentsQuery, @Caller() principal: Principal) {
    const { collection, status, ...page } = query;
    const found = await this.documents.list(principal.workspaceId, { collection, status }, page);
    return listAnswer({ data: found.data.map(documentView), hasMore: found.hasMore }, (document) => document.id);
  }

  @Get(':id')
  @Access('documents:read')
  @ApiOperation({ summary: 'Read what is known about a document.' })
  @Answers(200, documentSchema, 'The document.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal) {
    return documentView(await this.documents.get(principal.workspaceId, id));
  }

  @Get(':id/text')
  @Access('documents:read')
  @ApiOperation({ summary: 'Read the extracted text of a document, or a part of it.' })
  @Answers(200, textSliceSchema, 'The slice; offsets beyond the end are moved to it.')
  @Problems('not_found', 'conflict')
  async text(@Param('id', IdPipe) id: string, @Query({ schema: textQuery }) query: TextQuery, @Caller() principal: Principal) {
    return this.documents.text(principal.workspaceId, id, query.start, query.end);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('documents:write', 'editor')
  @ApiOperation({ summary: 'Delete a document everywhere, also from stored answers.' })
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found')
  async delete(@Param('id', IdPipe) id: string, @Caller() principal: Principal): Promise<void> {
    await this.removal.remove(principal.workspaceId, id);
  }
}
