/**
 * Port: the servers that do one kind of work, as they are known now. Two adapters: those that a setting names (`FixedServers`), and those that a
 * registry knows (Consul), which come and go while the process runs.
 */
export abstract class ServerList {
  /** Whether the settings name any server, or where to ask for them. */
  abstract readonly configured: boolean;

  /** Base URLs without a slash at the end, each once; in an order that stays. Never rejects, and waits for a moment at the very first question at most. */
  abstract current(): Promise<readonly string[]>;
}
