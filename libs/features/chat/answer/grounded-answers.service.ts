import { Injectable } from '@nestjs/common';
import { citationOf } from '../citation.entity';
import { NO_USAGE, type AnswerSink, type AnswerTask, type FinishedAnswer, type GroundedRequest } from './answer-task';
import { AnswerText } from './answer-text';
import { FreeAnswers } from './free-answers.service';
import { FullTexts } from './full-texts.service';
import { notFoundText } from './phrases';
import { readQuestion } from './question';
import { Retrieval, type Grounds } from './retrieval.service';
import { StarterAnswers } from './starter-answers.service';

/**
 * Answers a question of a conversation: freely, from passages of collections as the model's grade allows, or by saying that nothing was found.
 * Knows nothing of jobs: what it makes goes into a sink. Errors: `context_length_exceeded`, those of the models, and what the sink throws.
 */
@Injectable()
export class GroundedAnswers {
  constructor(
    private readonly retrieval: Retrieval,
    private readonly free: FreeAnswers,
    private readonly starter: StarterAnswers,
    private readonly fullTexts: FullTexts,
  ) {}

  async write(request: GroundedRequest, sink: AnswerSink): Promise<FinishedAnswer> {
    const earlier = request.earlier ?? request.history.filter((turn) => turn.role === 'user').map((turn) => turn.content);
    const task: AnswerTask = { request, question: readQuestion(request.question, earlier), earlier, sink };
    if (request.collections.length === 0) return this.free.write(task, []);
    const grounds = await this.grounds(task);
    await sink.citations(
      grounds.passages.map((passage, index) => citationOf(passage, index + 1)),
      false,
    );
    const answer = await this.grounded(task, grounds);
    await sink.citations(answer.citations, true);
    return answer;
  }

  private grounded(task: AnswerTask, grounds: Grounds): Promise<FinishedAnswer> {
    if (grounds.passages.length === 0) return nothingFound(task);
    return task.request.card.grade === 'starter' ? this.starter.write(task, grounds) : this.free.write(task, grounds.passages);
  }

  private async grounds(task: AnswerTask): Promise<Grounds> {
    const { collections, topK, card, signal, account, citedDocuments = [] } = task.request;
    const grounds = await this.retrieval.find({ question: task.question, collections, citedDocuments, topK, card, signal, account });
    if (!grounds.whole) return grounds;
    const documents = grounds.passages.map((overview) => overview.documentId);
    const passages = await this.fullTexts.of(task, documents);
    return passages.length > 0 ? { ...grounds, passages } : grounds;
  }
}

async function nothingFound({ question, sink }: AnswerTask): Promise<FinishedAnswer> {
  const answer = new AnswerText(sink);
  await answer.write(notFoundText(question.language));
  return { content: answer.content, reasoning: null, citations: [], usage: NO_USAGE, finishReason: 'stop' };
}
