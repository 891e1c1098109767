import { Injectable } from '@nestjs/common';
import { Models } from '@features/models';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { ModelCard, ModelKind } from '@kernel/models';

/** A name that clients may use: a model's own id, or an alias of the settings (MODEL_ALIASES) for one. */
export interface ServedModel {
  name: string;
  card: ModelCard;
}

/** Which models the OpenAI-compatible API serves, under which names. Errors: `not_found` naming the available ids, `invalid` when a model cannot do it. */
@Injectable()
export class ServedModels {
  constructor(
    private readonly models: Models,
    private readonly config: AppConfig,
  ) {}

  /** Those that can be used now, by name; aliases among them. */
  async list(): Promise<ServedModel[]> {
    return (await this.named()).filter(isReady);
  }

  async get(name: string): Promise<ServedModel> {
    const served = await this.list();
    const model = served.find((other) => other.name === name);
    if (model === undefined) throw fault('not_found', `The model ${name} does not exist or is not ready here.`, served);
    return model;
  }

  /** The model behind a name, which is of this kind and can do all that is asked. One that failed says itself why, when it is called. */
  async resolve(name: string, kind: ModelKind, capability?: string): Promise<ModelCard> {
    const all = await this.named();
    const can = ({ card }: ServedModel): boolean =>
      card.kind === kind && (capability === undefined || card.capabilities.includes(capability));
    const fitting = all.filter((model) => can(model) && isReady(model));
    const model = all.find((other) => other.name === name);
    if (model === undefined) throw fault('not_found', `The model ${name} does not exist.`, fitting);
    if (model.card.kind !== kind) throw fault('invalid', `The model ${name} is no ${kind} model.`, fitting);
    if (!can(model)) throw fault('invalid', `The model ${name} has no capability ${capability}.`, fitting);
    const { state } = model.card;
    if (state === 'missing' || state === 'pulling') throw fault('not_found', await this.whyMissing(model.card), fitting);
    return model.card;
  }

  private async named(): Promise<ServedModel[]> {
    const cards = await this.models.list();
    const served = cards.map((card) => ({ name: card.id, card }));
    for (const [name, id] of Object.entries(this.config.models.aliases)) {
      const card = cards.find((model) => model.id === id);
      if (card !== undefined && !served.some((other) => other.name === name)) served.push({ name, card });
    }
    return served.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** With the command that mends it, which the models know. */
  private async whyMissing({ id, kind }: ModelCard): Promise<string> {
    try {
      await this.models.resolve(kind, id);
      return `The model ${id} is not ready yet.`;
    } catch (error) {
      if (error instanceof AppError) return error.message;
      throw error;
    }
  }
}

function isReady({ card }: ServedModel): boolean {
  return card.state === 'ready';
}

function fault(code: 'not_found' | 'invalid', what: string, available: ServedModel[]): AppError {
  const names = available.map(({ name }) => name).join(', ');
  const message = `${what} Available: ${names === '' ? 'none' : names}.`;
  return new AppError(code, message, { errors: [{ path: 'model', message }] });
}
