import { Module } from '@nestjs/common';
import { LlamaCppClient } from './llama-cpp.client';
import { LlamaCppRuntime } from './llama-cpp.runtime';

/** llama.cpp in this process: runs the models of the catalogue whose files lie in MODELS_DIR. */
@Module({ providers: [LlamaCppClient, LlamaCppRuntime], exports: [LlamaCppRuntime] })
export class LlamaCppModule {}
