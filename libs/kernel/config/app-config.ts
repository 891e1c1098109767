/** One number for all models, and others for some of them by id. */
export interface PerModel {
  readonly all?: number;
  readonly of: Readonly<Record<string, number>>;
}

/** What kind of process the settings are read for. */
export type ProcessRole = 'api' | 'worker' | 'faiss';

/**
 * Every setting, typed, nested and frozen: parsed once at start by `parseConfig`; nothing else reads the environment.
 * An unset URL means the embedded driver.
 */
export abstract class AppConfig {
  readonly role!: ProcessRole;
  readonly production!: boolean;
  readonly http!: {
    readonly host: string;
    readonly port: number;
    /** The server listens on loopback alone. */
    readonly loopback: boolean;
    readonly publicUrl: string;
    readonly trustedProxies: readonly string[];
    readonly corsOrigins: readonly string[];
    /** Accepted names in `Host`, lower case, without port. */
    readonly publicHosts: readonly string[];
    readonly uploadBytes: number;
  };
  /** Absolute path of `DATA_DIR`. */
  readonly directory!: string;
  readonly logLevel!: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  readonly database!: {
    /** Unset: the embedded database under `DATA_DIR`. */
    readonly url?: string;
    readonly poolSize: number;
    readonly poolOverflow: number;
    readonly migrate: 'auto' | 'off';
  };
  readonly blobs!: { readonly driver: 'files' | 'postgres' };
  /** The store of new collections that name none. */
  readonly vectors!: { readonly store: 'pgvector' | 'chroma' | 'qdrant' | 'faiss' };
  /** Unset: limits and fan-out within this process. */
  readonly redis!: { readonly url?: string };
  /** Unset: jobs run in this process. */
  readonly rabbitmq!: { readonly url?: string };
  /** Unset: lineage is answered by the database. */
  readonly neo4j!: { readonly url?: string; readonly user: string; readonly password?: string };
  readonly chroma!: { readonly url?: string };
  readonly qdrant!: { readonly url?: string; readonly apiKey?: string };
  /** Unset: a child process of this one, started when a collection needs it. */
  readonly faiss!: {
    readonly url?: string;
    /** Absolute path of the native part that the child process, and the FAISS service, load; null: there shall be no child. */
    readonly binding: string | null;
    /** Somebody said so; else it is the usual place, where nothing need lie. */
    readonly named: boolean;
  };
  readonly consul!: {
    readonly url?: string;
    readonly token?: string;
    /** Host under which others reach this instance; unset: `HOST`, or the machine's own name where that is a wildcard. */
    readonly address?: string;
  };
  /** The status listener of the gateway in front. */
  readonly kong!: { readonly statusUrl?: string };
  readonly models!: {
    readonly directory: string;
    readonly chat: string;
    readonly embedding: string;
    /** Unset: physical cores - 1, at least 1. */
    readonly threads?: number;
    readonly coldSeconds: number;
    readonly firstTokenSeconds: number;
    readonly idleSeconds: number;
    /** Calls that one model works on at once; unset: what its runtime can. */
    readonly concurrency: PerModel;
    /** Calls that may wait for one model; unset: 32 for chat, 256 for embedding. */
    readonly queue: PerModel;
    /** Seconds that a call may wait for its turn. */
    readonly queueSeconds: number;
    /** Names that may be pulled beside the catalogue's own, `*` standing for any text. */
    readonly allow: readonly string[];
    /** Foreign model names of `/v1` and the ids that serve them. */
    readonly aliases: Readonly<Record<string, string>>;
  };
  /** Servers beside the built-in runtime: these, or those that Consul knows under `service`; neither: the built-in runtime alone. */
  readonly ollama!: {
    readonly urls: readonly string[];
    readonly service?: string;
    /** Calls that one of them works on at once for one model. */
    readonly parallel: number;
  };
  /** Hosts and networks that may be reached although they are not public. */
  readonly egress!: { readonly allow: readonly string[] };
  /** Prometheus metrics on a port of their own, on the host of the API; 0: any free port. */
  readonly metrics!: { readonly port: number };
  readonly auth!: {
    readonly registration: 'closed' | 'open' | 'invite';
    /** Unset in embedded mode: made once and kept under `DATA_DIR` (mode 0600). */
    readonly jwtSecret?: string;
    readonly jwtSecretPrevious?: string;
    readonly setupToken?: string;
    readonly adminEmail?: string;
    readonly adminPassword?: string;
  };
  readonly limits!: { readonly requestsPerMinute: number };
  readonly retention!: { readonly jobsDays: number; readonly eventsDays: number; readonly auditDays: number };
  readonly shutdownSeconds!: number;
}
