import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ServerList } from '@kernel/discovery';
import { OllamaServer } from './ollama.server';

/** The servers of OLLAMA_URL, each with its own connections and guard, as they come and go. */
@Injectable()
export class OllamaClient implements OnApplicationShutdown {
  private readonly known = new Map<string, OllamaServer>();

  constructor(private readonly list: ServerList) {}

  /** Whether the settings name a server at all. */
  get configured(): boolean {
    return this.list.configured;
  }

  /** In the order of the list. What a server that left it has under way may end. */
  async servers(): Promise<OllamaServer[]> {
    const urls = await this.list.current();
    for (const [url, server] of this.known) {
      if (urls.includes(url)) continue;
      this.known.delete(url);
      void server.close(false).catch(() => undefined);
    }
    return urls.map((url) => {
      const server = this.known.get(url) ?? new OllamaServer(url);
      this.known.set(url, server);
      return server;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.known.values()].map((server) => server.close(true)));
  }
}
