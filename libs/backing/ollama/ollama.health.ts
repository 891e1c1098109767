import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { AppError } from '@kernel/errors';
import type { IndicatorAnswer, ServiceIndicator } from '@kernel/health';
import { OllamaClient } from './ollama.client';
import { unreachable } from './ollama.error';
import type { OllamaServer } from './ollama.server';

const SECONDS = 1;
/** One of several that is silent must not hide what the others say within the second of the whole check. */
const SECONDS_OF_SEVERAL = 0.8;

/**
 * Asks every server for its version over the shared connections: up when all answer, degraded when some do, down when none does. Answers are cached for
 * 2 s. Nothing else of the platform needs it.
 */
@Injectable()
export class OllamaHealth implements ServiceIndicator {
  readonly name = 'ollama';
  readonly driver = 'ollama';
  readonly required = false;

  constructor(
    private readonly client: OllamaClient,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.client.configured;
  }

  async check(): Promise<Record<string, IndicatorAnswer>> {
    const checked = await this.health
      .check(this.name)
      .attempt(() => this.state())
      .withTimeout(1_000)
      .cacheFor(2_000);
    const answer: IndicatorAnswer = checked[this.name];
    // An attempt ends well or badly: that it went half well is in what it said.
    return { [this.name]: answer.status === 'up' && answer.message !== undefined ? { ...answer, status: 'degraded' } : answer };
  }

  /** Answers what some of them said when they failed; throws when all did. */
  private async state(): Promise<{ message?: string; details?: Record<string, number> }> {
    const servers = await this.client.servers();
    if (servers.length === 0) throw new AppError('unavailable', 'OLLAMA_URL: no healthy server is known.');
    const failed = (
      await Promise.all(servers.map((server) => faultOf(server, servers.length === 1 ? SECONDS : SECONDS_OF_SEVERAL)))
    ).filter((fault) => fault !== undefined);
    const details = { servers: servers.length, answering: servers.length - failed.length };
    if (failed.length === 0) return servers.length === 1 ? {} : { details };
    if (failed.length < servers.length)
      return { details, message: failed.map(({ place, error }) => `${place}: ${wordsOf(error)}`).join(' ') };
    throw servers.length === 1 ? (failed[0]?.error ?? unreachable()) : unreachable();
  }
}

async function faultOf(server: OllamaServer, seconds: number): Promise<{ place: string; error: unknown } | undefined> {
  try {
    const { signal } = new AbortController();
    await server.json({ path: 'version', method: 'GET', name: '', signal, seconds, probe: true });
    return undefined;
  } catch (error) {
    return { place: server.place, error };
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
