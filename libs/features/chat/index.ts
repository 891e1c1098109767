export type { AnswerSink, FinishedAnswer, GroundedRequest } from './answer/answer-task';
export { GroundedAnswers } from './answer/grounded-answers.service';
export { chatAnswer, chatOptionsSchema, MAX_CONTENT, type AnswerPayload } from './chat.jobs';
export { ChatMessages, type AskedQuestion, type NewQuestion } from './chat-messages.service';
export { messageView, type ChatMessage } from './chat-message.entity';
export { ChatModule } from './chat.module';
export { ChatSessions } from './chat-sessions.service';
export type { ChatOptions, ChatSession, SessionFields, Visibility } from './chat-session.entity';
export type { Citation, SupportSpan } from './citation.entity';
