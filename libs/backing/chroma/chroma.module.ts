import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ChromaClient } from './chroma.client';
import { ChromaHealth } from './chroma.health';
import { ChromaStore } from './chroma.store';

/** The Chroma server of CHROMA_URL as a store of vectors; without that setting nothing is ever called. */
@Module({ imports: [TerminusModule], providers: [ChromaClient, ChromaHealth, ChromaStore], exports: [ChromaHealth, ChromaStore] })
export class ChromaModule {}
