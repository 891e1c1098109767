import { Injectable } from '@nestjs/common';
import { DeltaWriter } from '@features/jobs';
import { Collections } from '@features/vectors';
import { citationOf } from '../citation.entity';
import { NO_USAGE, type AnswerTask, type FinishedAnswer } from './answer-task';
import { AnswerText } from './answer-text';
import { FreeAnswers } from './free-answers.service';
import { notFoundText } from './phrases';
import { Retrieval, type Grounds } from './retrieval.service';
import { StarterAnswers } from './starter-answers.service';

/** Chooses how a question is answered: freely, from passages as the model's grade allows, or by saying that nothing was found. */
@Injectable()
export class AnswerWriters {
  constructor(
    private readonly collections: Collections,
    private readonly retrieval: Retrieval,
    private readonly free: FreeAnswers,
    private readonly starter: StarterAnswers,
  ) {}

  async write(task: AnswerTask): Promise<FinishedAnswer> {
    const { context } = task;
    if (context.payload.collections.length === 0) return this.free.write(task, []);
    const grounds = await this.grounds(task);
    const given = grounds.passages.map((passage, index) => citationOf(passage, index + 1));
    await context.emit('citations', { citations: given, final: false });
    const answer = await this.grounded(task, grounds);
    await context.emit('citations', { citations: answer.citations, final: true });
    return answer;
  }

  private grounded(task: AnswerTask, grounds: Grounds): Promise<FinishedAnswer> {
    if (grounds.passages.length === 0) return nothingFound(task);
    return task.card.grade === 'starter' ? this.starter.write(task, grounds) : this.free.write(task, grounds.passages);
  }

  private async grounds({ context, conversation, question, card, account }: AnswerTask): Promise<Grounds> {
    const { collections: names, top_k: topK } = context.payload;
    const collections = await this.collections.resolve(context.workspaceId, names);
    const { citedDocuments } = conversation;
    return this.retrieval.find({ question, collections, citedDocuments, topK, card, signal: context.signal, account });
  }
}

async function nothingFound({ context, question }: AnswerTask): Promise<FinishedAnswer> {
  const answer = new AnswerText(new DeltaWriter(context));
  await answer.write(notFoundText(question.language));
  await answer.flush();
  return { content: answer.content, citations: [], usage: NO_USAGE, finishReason: 'stop' };
}
