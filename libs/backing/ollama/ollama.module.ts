import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { OllamaClient } from './ollama.client';
import { OllamaHealth } from './ollama.health';

/** The Ollama server of OLLAMA_URL; without that setting nothing is ever called. */
@Module({ imports: [TerminusModule], providers: [OllamaClient, OllamaHealth], exports: [OllamaClient, OllamaHealth] })
export class OllamaModule {}
