import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { KongClient } from './kong.client';
import { KongHealth } from './kong.health';

/** The gateway in front, by the status listener of KONG_STATUS_URL; without that setting nothing is ever called. */
@Module({ imports: [TerminusModule], providers: [KongClient, KongHealth], exports: [KongHealth] })
export class KongModule {}
