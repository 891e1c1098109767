import { join, resolve } from 'node:path';
import type { AppConfig } from './app-config';
import { productRoot } from './product-root';
import type { SettingReader } from './setting-reader';

/** What the settings of the backing services decide; the process they are read for may refuse some of it. */
export type ServicesPart = Pick<
  AppConfig,
  'blobs' | 'vectors' | 'redis' | 'rabbitmq' | 'neo4j' | 'chroma' | 'qdrant' | 'faiss' | 'consul' | 'kong' | 'ollama'
>;

const STORES = ['pgvector', 'chroma', 'qdrant', 'faiss'] as const;
const HTTP = ['http:', 'https:'];
const CONSUL_SERVICE = /^consul:\/\/([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)\/?$/;

/** One URL for each backing service; unset means embedded, or that its part is switched off. */
export function servicesPart(settings: SettingReader): ServicesPart {
  const rabbitmq = { url: settings.url('RABBITMQ_URL', settings.secret('RABBITMQ_URL'), ['amqp:', 'amqps:']) };
  const chroma = { url: withoutEnd(settings.url('CHROMA_URL', settings.secret('CHROMA_URL'), HTTP)) };
  const qdrant = {
    url: withoutEnd(settings.url('QDRANT_URL', settings.text('QDRANT_URL'), HTTP)),
    apiKey: settings.secret('QDRANT_API_KEY'),
  };
  const consul = {
    url: withoutEnd(settings.url('CONSUL_URL', settings.text('CONSUL_URL'), HTTP)),
    token: settings.secret('CONSUL_TOKEN'),
    address: settings.text('CONSUL_ADDRESS'),
  };
  return {
    blobs: { driver: blobDriver(settings, rabbitmq.url !== undefined) },
    vectors: { store: vectorStore(settings, { CHROMA_URL: chroma.url, QDRANT_URL: qdrant.url }) },
    redis: { url: settings.url('REDIS_URL', settings.secret('REDIS_URL'), ['redis:', 'rediss:']) },
    rabbitmq,
    neo4j: neo4jPart(settings),
    chroma,
    qdrant,
    faiss: faissPart(settings),
    consul,
    kong: { statusUrl: withoutEnd(settings.url('KONG_STATUS_URL', settings.text('KONG_STATUS_URL'), HTTP)) },
    ollama: ollamaPart(settings, consul.url !== undefined),
  };
}

function blobDriver(settings: SettingReader, overSeveralProcesses: boolean): 'files' | 'postgres' {
  const url = settings.text('BLOB_URL');
  if (url === undefined) return overSeveralProcesses ? 'postgres' : 'files';
  if (url === 'postgres:') return 'postgres';
  settings.fault('BLOB_URL', url.startsWith('s3:') ? 's3 is not supported by this release.' : 'must be "postgres:", or unset for files.');
  return 'files';
}

function vectorStore(settings: SettingReader, urls: Record<string, string | undefined>): AppConfig['vectors']['store'] {
  const store = settings.choice('VECTOR_STORE', STORES) ?? 'pgvector';
  const needed = `${store.toUpperCase()}_URL`;
  if (needed in urls && urls[needed] === undefined) settings.fault('VECTOR_STORE', `${store} needs ${needed} to be set.`);
  return store;
}

function faissPart(settings: SettingReader): AppConfig['faiss'] {
  const url = withoutEnd(settings.url('FAISS_URL', settings.text('FAISS_URL'), HTTP));
  const binding = settings.text('FAISS_BINDING');
  if (binding === 'off') return { url, binding: null, named: true };
  if (binding !== undefined) return { url, binding: resolve(binding), named: true };
  return { url, binding: join(productRoot(), 'native', 'faiss-node.node'), named: false };
}

function neo4jPart(settings: SettingReader): AppConfig['neo4j'] {
  const schemes = ['bolt:', 'neo4j:', 'bolt+s:', 'neo4j+s:', 'bolt+ssc:', 'neo4j+ssc:'];
  const url = settings.url('NEO4J_URL', settings.text('NEO4J_URL'), schemes);
  const user = settings.text('NEO4J_USER') ?? 'neo4j';
  const password = settings.secret('NEO4J_PASSWORD');
  if (url !== undefined && password === undefined) settings.fault('NEO4J_PASSWORD', 'must be set too: NEO4J_URL is.');
  return { url, user, password };
}

/** One server, several, or those that Consul knows. */
function ollamaPart(settings: SettingReader, consul: boolean): AppConfig['ollama'] {
  const parallel = settings.integer('OLLAMA_NUM_PARALLEL', { least: 1, most: 1_024 }) ?? 4;
  const value = settings.text('OLLAMA_URL');
  if (value?.startsWith('consul:') !== true) {
    const urls = settings.list('OLLAMA_URL', wrongServer) ?? [];
    return { urls: [...new Set(urls.map((url) => url.replace(/\/+$/, '')))], parallel };
  }
  const service = CONSUL_SERVICE.exec(value)?.[1];
  if (service === undefined) settings.fault('OLLAMA_URL', 'must name a service of Consul, such as consul://ollama.');
  if (!consul) settings.fault('OLLAMA_URL', 'needs CONSUL_URL to be set, for it asks Consul for the servers.');
  return { urls: [], service, parallel };
}

function wrongServer(url: string): string | undefined {
  const right = URL.canParse(url) && HTTP.includes(new URL(url).protocol);
  return right ? undefined : 'must be URLs that begin with http:// or https://, separated by commas, or consul://SERVICE.';
}

function withoutEnd(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, '');
}
