export type { Collection } from './collection';
export { Collections, DEFAULT_COLLECTION } from './collections.service';
export type { Passage } from './passage';
export { VectorsModule } from './vectors.module';
export { analyse, type Lexeme } from './text/analyse';
export { detectLanguage } from './text/language';
export { sentences, type Span } from './text/sentences';
