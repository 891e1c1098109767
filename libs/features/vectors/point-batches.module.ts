import { Module } from '@nestjs/common';
import { DeclaredJobs, JobsModule } from '@features/jobs';
import { EmbedPointsHandler } from './batches/embed-points.handler';
import { PointBatchesRepository } from './batches/point-batches.repository';
import { PointBatches } from './batches/point-batches.service';
import { embedPoints } from './batches/points.jobs';
import { VectorsModule } from './vectors.module';

/** Batches of points that are embedded by a job. */
@Module({
  imports: [JobsModule, VectorsModule],
  providers: [
    { provide: DeclaredJobs, useFactory: () => new DeclaredJobs(embedPoints) },
    EmbedPointsHandler,
    PointBatches,
    PointBatchesRepository,
  ],
  exports: [PointBatches],
})
export class PointBatchesModule {}
