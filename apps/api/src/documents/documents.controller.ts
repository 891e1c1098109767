import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Put, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { DocumentRemoval, Documents, type StoredDocument } from '@features/documents';
import { asMetadata } from '@features/vectors';
import type { Principal } from '@kernel/identity';
import { listAnswer } from '@kernel/paging';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { acceptedVersions, entityTag, IF_MATCH } from '../http/entity-tag';
import { Access } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import { Caller } from '../http/caller.decorator';
import { IdPipe } from '../http/id.pipe';
import { jobView } from '../jobs/jobs.schema';
import { DocumentRequests, type TakenDocument } from './document-requests.service';
import {
  acceptedDocumentSchema,
  changeDocumentBody,
  chunkListSchema,
  CREATE_CONTENT,
  documentListSchema,
  documentSchema,
  documentView,
  listChunksQuery,
  listDocumentsQuery,
  REPLACE_CONTENT,
  textQuery,
  textSliceSchema,
  type ChangeDocumentBody,
  type ListChunksQuery,
  type ListDocumentsQuery,
  type TextQuery,
} from './documents.schema';

const PASSIVE_TYPES = [
  'application/json',
  'application/pdf',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'text/csv',
  'text/markdown',
  'text/plain',
];
const UNKNOWN_TYPE = 'application/octet-stream';

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
  @Access('documents:write', 'editor', { uploads: true, spends: true, creates: 'answer' })
  @ApiOperation({ summary: 'Add a document: a file, or a text or an address as JSON; it is read in the background.' })
  @ApiConsumes('multipart/form-data', 'application/json')
  @ApiBody(CREATE_CONTENT)
  @Answers(202, acceptedDocumentSchema, 'The document and the job that reads it.')
  @Answers(200, acceptedDocumentSchema, 'The collection has the same bytes already: that document.')
  @Problems('not_found', 'conflict', 'too_large', 'unsupported_media_type', 'unprocessable', 'egress_blocked', 'storage_full')
  async create(@Req() request: FastifyRequest, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return answered(await this.requests.create(request, principal), reply);
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
  @Answers(200, documentSchema, 'The document; its ETag is for If-Match.')
  @Problems('not_found')
  async get(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    return shown(await this.documents.get(principal.workspaceId, id), reply);
  }

  @Patch(':id')
  @Access('documents:write', 'editor')
  @ApiOperation({ summary: 'Change the name or the metadata of a document, each as a whole; searches see it at once.' })
  @ApiHeader(IF_MATCH)
  @Answers(200, documentSchema, 'The changed document.')
  @Problems('not_found', 'precondition_failed', 'unprocessable')
  async change(
    @Param('id', IdPipe) id: string,
    @Body({ schema: changeDocumentBody }) body: ChangeDocumentBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const change = { name: body.name, metadata: body.metadata === undefined ? undefined : asMetadata(body.metadata) };
    return shown(await this.documents.change(principal.workspaceId, id, change, acceptedVersions(ifMatch)), reply);
  }

  @Put(':id')
  @HttpCode(202)
  @Access('documents:write', 'editor', { uploads: true, spends: true })
  @ApiOperation({
    summary: 'Replace the content of a document under the same id; what it has stays visible until the new content is read.',
  })
  @ApiConsumes('multipart/form-data', 'application/json')
  @ApiBody(REPLACE_CONTENT)
  @ApiHeader(IF_MATCH)
  @Answers(202, acceptedDocumentSchema, 'The document and the job that reads the new content.')
  @Answers(200, acceptedDocumentSchema, 'The document has these bytes already.')
  @Problems(
    'not_found',
    'conflict',
    'precondition_failed',
    'too_large',
    'unsupported_media_type',
    'unprocessable',
    'egress_blocked',
    'storage_full',
  )
  async replace(
    @Param('id', IdPipe) id: string,
    @Req() request: FastifyRequest,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return answered(await this.requests.replace(request, principal, id, acceptedVersions(ifMatch)), reply);
  }

  @Get(':id/text')
  @Access('documents:read')
  @ApiOperation({ summary: 'Read the extracted text of a document, or a part of it.' })
  @Answers(200, textSliceSchema, 'The slice; offsets beyond the end are moved to it.')
  @Problems('not_found', 'conflict')
  async text(@Param('id', IdPipe) id: string, @Query({ schema: textQuery }) query: TextQuery, @Caller() principal: Principal) {
    return this.documents.text(principal.workspaceId, id, query.start, query.end);
  }

  @Get(':id/chunks')
  @Access('documents:read')
  @ApiOperation({ summary: 'List the passages that searches find of a document, in the order of its text.' })
  @Answers(200, chunkListSchema, 'A page of passages.')
  @Problems('not_found', 'conflict')
  async chunks(
    @Param('id', IdPipe) id: string,
    @Query({ schema: listChunksQuery }) query: ListChunksQuery,
    @Caller() principal: Principal,
  ) {
    return listAnswer(await this.documents.chunks(principal.workspaceId, id, query), (chunk) => chunk.id);
  }

  @Get(':id/content')
  @Access('documents:read')
  @ApiOperation({ summary: 'Download the original of a document.' })
  @ApiProduces(UNKNOWN_TYPE, ...PASSIVE_TYPES)
  @ApiResponse({ status: 200, description: 'The original, as an attachment.', schema: { type: 'string', format: 'binary' } })
  @Problems('not_found', 'conflict')
  async content(@Param('id', IdPipe) id: string, @Caller() principal: Principal, @Res({ passthrough: true }) reply: FastifyReply) {
    const { document, content } = await this.documents.content(principal.workspaceId, id);
    void reply.header('ETag', entityTag(document.revision));
    return new StreamableFile(content, {
      type: downloadType(document.mediaType),
      disposition: attachment(document.name),
      length: document.bytes,
    });
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('documents:write', 'editor')
  @ApiOperation({ summary: 'Delete a document everywhere, also from stored answers.' })
  @ApiHeader(IF_MATCH)
  @Answers(204, undefined, 'Deleted.')
  @Problems('not_found', 'precondition_failed')
  async delete(
    @Param('id', IdPipe) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    await this.removal.remove(principal.workspaceId, id, { known: acceptedVersions(ifMatch), by: principal });
  }
}

function shown(document: StoredDocument, reply: FastifyReply) {
  void reply.header('ETag', entityTag(document.revision));
  return documentView(document);
}

function answered({ document, job }: TakenDocument, reply: FastifyReply) {
  if (job === null) void reply.code(200);
  else void reply.header('Location', `/api/v1/jobs/${job.id}`);
  return { document: documentView(document), job: job === null ? null : jobView(job) };
}

/** The type of a download: none that a browser would run or draw, whatever the original is. */
function downloadType(mediaType: string): string {
  return PASSIVE_TYPES.includes(mediaType.split(';', 1)[0] ?? '') ? mediaType : UNKNOWN_TYPE;
}

/** RFC 6266: a plain name for old clients, the whole one for all others; neither is a path, whoever saves it. */
function attachment(given: string): string {
  const name = given.replaceAll(/[/\\]|^\.{1,2}$/gu, '_');
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/gu, '_');
  const whole = encodeURIComponent(name.toWellFormed()).replaceAll(/['()*]/gu, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}
