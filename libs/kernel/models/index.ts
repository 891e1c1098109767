export { ActivityMeter } from './activity.meter';
export { assertAnswerSchema } from './answer-schema';
export {
  ModelRuntime,
  type AnswerFormat,
  type ChatChunk,
  type ChatRequest,
  type ChatTurn,
  type CompletionRequest,
  type EmbedAnswer,
  type EmbedRequest,
  type EmbeddingTraits,
  type ModelActivity,
  type ModelCard,
  type ModelKind,
  type ModelState,
  type SamplingRequest,
  type ToolCall,
  type ToolChoice,
  type ToolDefinition,
} from './model-runtime';
export { normaliseWordPiece } from './wordpiece.text';
