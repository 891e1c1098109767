import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { FaissClient } from './faiss.client';
import { FaissHealth } from './faiss.health';
import { FaissStore } from './faiss.store';

/** Vectors in FAISS: the service at FAISS_URL, or a child process of this one. */
@Module({ imports: [TerminusModule], providers: [FaissClient, FaissHealth, FaissStore], exports: [FaissClient, FaissHealth, FaissStore] })
export class FaissModule {}
