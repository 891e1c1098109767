import { Module } from '@nestjs/common';
import { DocsController } from './docs.controller';
import { DocsPages } from './docs.service';

/** The documentation, served by the API itself. */
@Module({ controllers: [DocsController], providers: [DocsPages], exports: [DocsPages] })
export class DocsApiModule {}
