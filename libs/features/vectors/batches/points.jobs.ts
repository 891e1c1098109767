import { defineJob } from '@kernel/jobs';
import { z } from 'zod';

/** Embeds the texts of a batch of points and writes them; the points are in `point_batches`, the job carries ids. */
export const embedPoints = defineJob('points.embed', z.strictObject({ collection_id: z.uuid(), batch_id: z.uuid() }), {
  needs: 'vectors:write',
});
export type EmbedPoints = z.infer<typeof embedPoints.payload>;
