import { CATALOGUE } from '@backing/llama-cpp';
import { hasName, nameOf, slugOf } from '@backing/ollama';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import type { PullModel } from './models.jobs';

/** `namespace/model:tag`: never a host, a path, an address or a digest. */
const NAME = /^(?!sha256:)[a-z0-9][a-z0-9._-]{0,79}(\/[a-z0-9][a-z0-9._-]{0,79})?(:[A-Za-z0-9][A-Za-z0-9._-]{0,79})?$/;
/** With a registry in front: only where the allow-list names it. */
const HOSTED = /^[a-z0-9][a-z0-9.-]{0,99}(:\d{1,5})?(\/[A-Za-z0-9][A-Za-z0-9._-]{0,79}){2}(:[A-Za-z0-9][A-Za-z0-9._-]{0,79})?$/;

export interface PullTarget extends PullModel {
  license: string;
  /** Bytes as published; 0 when nobody knows before. */
  bytes: number;
}

/**
 * Where a name is pulled to: Ollama when it is set and its library has the model, else the catalogue's file. Errors: `invalid` (no name),
 * `forbidden` (neither of the catalogue nor allowed by MODEL_ALLOW), `unprocessable` (only Ollama could have it, and OLLAMA_URL is not set).
 */
export function pullTarget(given: string, config: Pick<AppConfig, 'models' | 'ollama'>): PullTarget {
  const slug = slugOf(given);
  const entry = CATALOGUE.find((one) => one.slug === given || one.slug === slug);
  const name = entry === undefined ? given : nameOf(entry.slug);
  if (entry === undefined) assertAllowed(given, config.models.allow);
  const ollama = config.ollama.urls.length > 0 || config.ollama.service !== undefined;
  if (ollama && (entry === undefined || hasName(entry.slug))) {
    return { model: slugOf(name), runtime: 'ollama', name, license: entry?.license ?? 'as its publisher says', bytes: entry?.bytes ?? 0 };
  }
  if (entry !== undefined) return { model: entry.slug, runtime: 'llama.cpp', name: entry.file, license: entry.license, bytes: entry.bytes };
  throw AppError.field('unprocessable', 'name', `${given} is not in the built-in catalogue, and OLLAMA_URL is not set`);
}

function assertAllowed(name: string, allow: readonly string[]): void {
  const hosted = HOSTED.test(name);
  if (!NAME.test(name) && !hosted) throw AppError.field('invalid', 'name', 'is no name of a model');
  const matching = allow.filter((pattern) => matches(pattern, name));
  // Text may stand for a model, never for the registry that it comes from.
  const host = name.split('/')[0] ?? '';
  const allowed = hosted ? matching.some((pattern) => pattern.startsWith(`${host}/`)) : matching.length > 0;
  if (allowed) return;
  const message = `the model ${name} is neither in the catalogue nor allowed by MODEL_ALLOW`;
  throw new AppError('forbidden', `name: ${message}.`, { errors: [{ path: 'name', message }] });
}

/** `*` stands for any text; `model` means `model:latest` on both sides. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const whole = new RegExp(`^${parts.join('.*')}$`);
  return whole.test(name) || (!/:[^/]*$/.test(name) && whole.test(`${name}:latest`));
}
