import { vectorOf, type SentPoint } from '@features/vectors';
import { AppError } from '@kernel/errors';
import { z } from 'zod';
import type { FramedBody } from '../http/framed-body';
import { MOST_POINTS } from './points.schema';

const COMPONENT_BYTES = 4;

/** The JSON header of the bulk format: one row of float32 (little-endian) follows for each id. */
export const bulkHeader = z.strictObject({
  ids: z.array(z.string().min(1).max(400)).min(1).max(MOST_POINTS),
  dimensions: z.int().min(1).max(4_096),
  metadata: z.array(z.unknown()).optional(),
});
export type BulkHeader = z.infer<typeof bulkHeader>;

export function isFramed(body: unknown): body is FramedBody {
  return typeof body === 'object' && body !== null && 'payload' in body && Buffer.isBuffer(body.payload);
}

/** The points of a bulk body. Errors: `invalid` (metadata of other points), `unprocessable` (too few or too many bytes). */
export function bulkPoints({ ids, dimensions, metadata }: BulkHeader, payload: Buffer): SentPoint[] {
  if (metadata !== undefined && metadata.length !== ids.length)
    throw AppError.field('invalid', 'metadata', `has ${metadata.length} members for ${ids.length} ids.`);
  const row = dimensions * COMPONENT_BYTES;
  if (payload.length !== ids.length * row)
    throw AppError.field(
      'unprocessable',
      'body',
      `has ${payload.length} bytes of vectors; ${ids.length} of ${dimensions} float32 need ${ids.length * row}.`,
    );
  return ids.map((id, index) => ({
    id,
    vector: vectorOf(payload.subarray(index * row, (index + 1) * row)),
    metadata: metadata?.[index] ?? undefined,
  }));
}
