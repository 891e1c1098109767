export { dialectOf, type Dialect } from './formats/delimiter';
export { DocumentParser, type ParsedDocument } from './document.parser';
export { ParsersModule } from './parsers.module';
export type { ParserLimits } from './parser.thread';
export type { PageSpan, ParseRequest } from './formats/parsed-text';
