import { Module } from '@nestjs/common';
import { Standing } from './standing.service';

/** What roles, people and keys allow at this moment. */
@Module({ providers: [Standing], exports: [Standing] })
export class StandingModule {}
