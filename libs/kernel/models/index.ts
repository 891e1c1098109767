export {
  ModelRuntime,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type EmbedAnswer,
  type EmbedRequest,
  type EmbeddingTraits,
  type ModelActivity,
  type ModelCard,
  type ModelKind,
  type ModelState,
} from './model-runtime';
