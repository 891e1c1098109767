import { ServerList } from './server-list';

/** The servers that a setting names. */
export class FixedServers extends ServerList {
  constructor(private readonly urls: readonly string[]) {
    super();
  }

  get configured(): boolean {
    return this.urls.length > 0;
  }

  current(): Promise<readonly string[]> {
    return Promise.resolve(this.urls);
  }
}
