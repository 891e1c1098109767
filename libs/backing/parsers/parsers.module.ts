import { Module } from '@nestjs/common';
import { DocumentParser } from './document.parser';

/** Reads untrusted files. */
@Module({ providers: [{ provide: DocumentParser, useFactory: () => new DocumentParser() }], exports: [DocumentParser] })
export class ParsersModule {}
