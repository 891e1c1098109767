import { AppError } from '@kernel/errors';
import type { EmbeddingSpace } from '@kernel/vectors';
import { v7 } from 'uuid';
import { asMetadata, isText } from '../metadata';
import { checkedVector } from './checked-vector';
import type { CheckedPoint, SentPoint } from './point';

/** Unicode scalars of an id; UTF-16 code units of a text. */
const LONGEST_ID = 200;
const LONGEST_TEXT = 100_000;

/** Checks a batch before anything is written; each fault names its point. Errors: `unprocessable`, `invalid` for a point without content. */
export function checkedPoints(points: SentPoint[], space: EmbeddingSpace): CheckedPoint[] {
  const seen = new Map<string, number>();
  return points.map((sent, index) => {
    const path = `points[${index}]`;
    const point = checkedPoint(sent, space, path);
    const earlier = seen.get(point.id);
    if (earlier !== undefined) throw fault(`${path}.id`, `is also the id of points[${earlier}].`);
    seen.set(point.id, index);
    return point;
  });
}

/** Errors: `unprocessable`. */
export function checkedId(id: string, path: string): string {
  if (id === '' || id.length > LONGEST_ID * 2 || [...id].length > LONGEST_ID) throw fault(path, `must have 1 to ${LONGEST_ID} characters.`);
  if (!isText(id)) throw fault(path, 'must be Unicode text without U+0000.');
  return id;
}

function checkedPoint(sent: SentPoint, space: EmbeddingSpace, path: string): CheckedPoint {
  const { vector, text } = sent;
  if (vector === undefined && text === undefined) throw AppError.field('invalid', path, 'needs a vector or a text.');
  if (vector === undefined && space.model === null)
    throw fault(`${path}.vector`, 'is needed: the collection has no model that could make one of a text.');
  if (text !== undefined) checkText(text, `${path}.text`);
  return {
    id: sent.id === undefined ? v7() : checkedId(sent.id, `${path}.id`),
    vector: vector === undefined ? null : checkedVector(vector, space, `${path}.vector`),
    text: text ?? null,
    metadata: sent.metadata === undefined ? {} : asMetadata(sent.metadata, `${path}.metadata`),
  };
}

function checkText(text: string, path: string): void {
  if (text.trim() === '') throw fault(path, 'must not be blank.');
  if (text.length > LONGEST_TEXT) throw fault(path, `must have at most ${LONGEST_TEXT} characters.`);
  if (!isText(text)) throw fault(path, 'must be Unicode text without U+0000.');
}

function fault(path: string, message: string): AppError {
  return AppError.field('unprocessable', path, message);
}
