import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { OllamaClient } from './ollama.client';
import { OllamaHealth } from './ollama.health';
import { OllamaLibrary } from './ollama.library';

/** The Ollama server of OLLAMA_URL; without that setting nothing is ever called. */
@Module({
  imports: [TerminusModule],
  providers: [OllamaClient, OllamaHealth, OllamaLibrary],
  exports: [OllamaClient, OllamaHealth, OllamaLibrary],
})
export class OllamaModule {}
