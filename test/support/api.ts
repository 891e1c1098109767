import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataDirectory } from '@backing/data-directory';
import { parseConfig, releaseVersion } from '@kernel/config';
import { AppLog } from '@kernel/log';
import { createApp } from '../../apps/api/src/configure';
import { type DatabaseKind, newDatabase } from './databases';
import { FullMap } from './full-map';
import { Traces } from './traces';

export interface ApiOptions {
  database: DatabaseKind;
  /** Settings over those of the test: an in-memory log level, port 0, loopback. */
  env?: Record<string, string>;
}

export interface ApiRequest {
  method?: string;
  token?: string;
  /** Sent as JSON, unless it is FormData. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** An answer with its body read; `json` is undefined when the body is no JSON. */
export interface ApiAnswer {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, never> & Record<string, unknown>;
}

export interface Registered {
  accessToken: string;
  refreshToken: string;
  userId: string;
  workspaceId: string;
}

/** Members of a request's body that are secrets. */
const SECRET_MEMBERS = ['password', 'current_password', 'new_password', 'setup_token'];
const PASSWORD = 'correct horse battery staple';

/** The real application on a loopback port of its own, over a database of its own. */
export class TestApi {
  private constructor(
    private current: { app: NestFastifyApplication; directory: DataDirectory; url: string },
    private readonly env: Record<string, string>,
    private readonly drop: () => Promise<void>,
    private readonly traces: Traces | undefined,
    private readonly map: FullMap | undefined,
  ) {}

  static async start(options: ApiOptions): Promise<TestApi> {
    const place = await newDatabase(options.database);
    const map = options.database === 'postgres' ? await FullMap.open() : undefined;
    const drop = async (): Promise<void> => {
      await map?.close();
      await place.drop();
    };
    const env = {
      DATA_DIR: place.directory,
      MODELS_DIR: process.env.MODELS_DIR ?? join(__dirname, '..', '..', '.data', 'models'),
      PORT: '0',
      METRICS_PORT: '0',
      // The same on every machine, whether its native part was built there or not.
      FAISS_BINDING: 'off',
      LOG_LEVEL: 'silent',
      ...(place.url === undefined ? {} : { DATABASE_URL: place.url }),
      ...map?.settings,
      ...options.env,
    };
    const traces = Traces.open();
    try {
      const running = await run(env, traces);
      await map?.startWorker(env);
      return new TestApi(running, env, drop, traces, map);
    } catch (error) {
      await drop();
      throw error;
    }
  }

  get app(): NestFastifyApplication {
    return this.current.app;
  }

  get url(): string {
    return this.current.url;
  }

  get directory(): DataDirectory {
    return this.current.directory;
  }

  async request(path: string, { method = 'GET', token, body, headers = {} }: ApiRequest = {}): Promise<ApiAnswer> {
    const response = await this.fetch(path, { method, token, body, headers });
    const text = await response.text();
    this.traces?.answer(path, response.status, text);
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  /** The unread response, for streams and files. */
  fetch(path: string, { method = 'GET', token, body, headers = {} }: ApiRequest = {}, signal?: AbortSignal): Promise<Response> {
    const json = body !== undefined && !(body instanceof FormData);
    this.traces?.secret(...secretsIn(body));
    return fetch(this.url + path, {
      method,
      signal,
      headers: {
        ...(json ? { 'content-type': 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: json ? JSON.stringify(body) : (body as FormData | undefined),
    });
  }

  get(path: string, token?: string): Promise<ApiAnswer> {
    return this.request(path, { token });
  }

  post(path: string, body?: unknown, token?: string): Promise<ApiAnswer> {
    return this.request(path, { method: 'POST', body, token });
  }

  delete(path: string, token?: string): Promise<ApiAnswer> {
    return this.request(path, { method: 'DELETE', token });
  }

  /** A new account; after the first this needs AUTH_REGISTRATION=open. */
  async register(email = 'first@example.org', password = PASSWORD): Promise<Registered> {
    const { status, json, text } = await this.post('/api/v1/auth/register', { email, password });
    if (status !== 201) throw new Error(`Registration answered ${status}: ${text}`);
    const { access_token, refresh_token, user, workspace } = json as Record<string, unknown> as {
      access_token: string;
      refresh_token: string;
      user: { id: string };
      workspace: { id: string };
    };
    return { accessToken: access_token, refreshToken: refresh_token, userId: user.id, workspaceId: workspace.id };
  }

  /** Secret of a new API key with these scopes, made by the holder of `token`. */
  async key(token: string, scopes: string[]): Promise<string> {
    const { status, json, text } = await this.post('/api/v1/auth/keys', { name: scopes.join(' ') || 'none', scopes }, token);
    if (status !== 201) throw new Error(`Making a key answered ${status}: ${text}`);
    return (json as Record<string, unknown>).secret as string;
  }

  /** Stops the application in order and starts it again on the same data, at another address; `env` changes settings for good. */
  async restart(env: Record<string, string> = {}): Promise<void> {
    await this.stop();
    Object.assign(this.env, env);
    this.current = await run(this.env, this.traces);
    await this.map?.startWorker(this.env);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.traces?.close();
    await this.drop();
  }

  private async stop(): Promise<void> {
    await this.map?.stopWorker();
    await this.traces?.collect(this.current.app);
    await this.current.app.close();
    this.current.directory.close();
  }
}

export function startApi(options: ApiOptions): Promise<TestApi> {
  return TestApi.start(options);
}

async function run(
  env: Record<string, string>,
  traces: Traces | undefined,
): Promise<{ app: NestFastifyApplication; directory: DataDirectory; url: string }> {
  const config = parseConfig(env);
  const { jwtSecret, jwtSecretPrevious, setupToken, adminPassword } = config.auth;
  traces?.secret(jwtSecret, jwtSecretPrevious, setupToken, adminPassword);
  const directory = DataDirectory.open(config.directory, releaseVersion());
  try {
    const app = await createApp(config, directory, traces === undefined ? new AppLog(config.logLevel) : new AppLog('trace', traces.log));
    await app.listen(0, config.http.host);
    traces?.secretsOf(config.directory);
    return { app, directory, url: (await app.getUrl()).replace('[::1]', '127.0.0.1') };
  } catch (error) {
    directory.close();
    throw error;
  }
}

function parsed(text: string): ApiAnswer['json'] {
  try {
    return JSON.parse(text) as ApiAnswer['json'];
  } catch {
    return undefined as unknown as ApiAnswer['json'];
  }
}

function secretsIn(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return [];
  return SECRET_MEMBERS.map((name) => (body as Record<string, unknown>)[name]).filter((value) => typeof value === 'string');
}
