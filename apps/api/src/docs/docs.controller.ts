import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { ERROR_CODES, ERROR_STATUS, ERROR_TITLE, AppError, RETRYABLE_CODES } from '@kernel/errors';
import type { FastifyReply } from 'fastify';
import { Public } from '../http/access.decorator';
import { DocsPages } from './docs.service';

/** Scripts and styles come from this server only; the page's own script is a file too, so nothing inline runs. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The documentation of the API for people (`/docs`) and machines (`/docs/openapi.json`). */
@ApiExcludeController()
@Controller('docs')
export class DocsController {
  constructor(private readonly pages: DocsPages) {}

  @Get()
  @Public()
  page(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PAGE_POLICY, 'cache-control': 'no-cache' });
    return this.pages.html();
  }

  @Get('openapi.json')
  @Public()
  document(@Res({ passthrough: true }) reply: FastifyReply): string {
    void reply.headers({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' });
    return this.pages.document();
  }

  @Get('assets/:name')
  @Public()
  async asset(@Param('name') name: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<Buffer> {
    const { content, mediaType } = await this.pages.asset(name);
    void reply.headers({ 'content-type': mediaType, 'cache-control': 'public, max-age=3600' });
    return content;
  }

  /** Where `type` of a problem document points. */
  @Get('errors/:code')
  @Public()
  error(@Param('code') code: string, @Res({ passthrough: true }) reply: FastifyReply): string {
    const known = ERROR_CODES.find((candidate) => candidate === code);
    if (known === undefined) throw AppError.notFound('An error of this code');
    void reply.headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' });
    const again = RETRYABLE_CODES.has(known)
      ? 'The same request may succeed later.'
      : 'The same request will fail again until something changes.';
    return `${known} (HTTP ${ERROR_STATUS[known]})\n\n${ERROR_TITLE[known]}. ${again}\n`;
  }
}
