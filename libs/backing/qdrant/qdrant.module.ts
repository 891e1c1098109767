import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { QdrantClient } from './qdrant.client';
import { QdrantHealth } from './qdrant.health';
import { QdrantStore } from './qdrant.store';

/** The Qdrant server of QDRANT_URL as a store of vectors; without that setting nothing is ever called. */
@Module({ imports: [TerminusModule], providers: [QdrantClient, QdrantHealth, QdrantStore], exports: [QdrantHealth, QdrantStore] })
export class QdrantModule {}
