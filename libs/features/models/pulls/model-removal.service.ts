import { Injectable } from '@nestjs/common';
import { CATALOGUE, type CatalogueEntry } from '@backing/llama-cpp';
import { OllamaRuntime, slugOf } from '@backing/ollama';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { Models } from '../models.service';
import { SpaceFingerprints } from '../space-fingerprints.service';
import { removeBuiltIn } from './built-in-download';
import { PullsRepository } from './pulls.repository';

/** Takes models away, for an instance admin: from the Ollama server, or the file from MODELS_DIR. */
@Injectable()
export class ModelRemoval {
  constructor(
    private readonly repository: PullsRepository,
    private readonly models: Models,
    private readonly ollama: OllamaRuntime,
    private readonly fingerprints: SpaceFingerprints,
    private readonly config: AppConfig,
  ) {}

  /** Errors: `not_found`, `conflict` while a default, a collection or a pull needs it, or it is in this process's memory. */
  async remove(id: string): Promise<void> {
    const card = await this.models.get(id);
    if (card.state === 'missing') throw AppError.notFound('The model');
    await this.assertFree(card.id);
    if (card.runtime === 'ollama') await this.ollama.remove(card.id);
    else await removeBuiltIn(this.config.models.directory, entryOf(card.id), card.loaded);
    await this.repository.remove(card.id);
    await this.fingerprints.forget(card.id);
  }

  private async assertFree(id: string): Promise<void> {
    const { chat, embedding } = this.config.models;
    if ([chat, embedding].some((name) => name === id || slugOf(name) === id))
      throw new AppError('conflict', `${id} is the default of CHAT_MODEL or EMBEDDING_MODEL.`);
    const open = await this.repository.open(id);
    if (open !== undefined) throw new AppError('conflict', `The model ${id} is being pulled.`, { jobId: open });
    if (await this.repository.isUsed(id)) throw new AppError('conflict', `The vectors of a collection were made with ${id}.`);
  }
}

function entryOf(id: string): CatalogueEntry {
  const entry = CATALOGUE.find(({ slug }) => slug === id);
  if (entry === undefined) throw AppError.notFound('The model');
  return entry;
}
