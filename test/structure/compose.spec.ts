import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@kernel/config';
import { parse } from 'yaml';
import { loadScript } from '../scripts/load-script';

const ROOT = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { ipam: { config: Record<string, string>[] } }>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}
interface Service {
  image: string;
  build?: { context: string; dockerfile: string; args: Record<string, string> };
  profiles: string[];
  command?: string[];
  environment?: Record<string, string>;
  secrets?: (string | { source: string; target: string })[];
  volumes?: string[];
  tmpfs?: string[];
  ports?: string[];
  networks?: { default: { ipv4_address: string } };
  depends_on?: Record<string, { condition: string; required?: boolean }>;
  healthcheck?: { test: string[]; start_period?: string };
  mem_limit?: string;
  security_opt?: string[];
  cap_drop?: string[];
  init?: boolean;
  read_only?: boolean;
  pids_limit?: number;
  stop_grace_period?: string;
  [key: string]: unknown;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const manifest = JSON.parse(read('package.json')) as { version: string };
const floors = JSON.parse(read('deploy/floors.json')) as { images: Record<string, { floor: string; below?: string; reason: string }> };
const PROFILES = ['core', 'vectors', 'full'];
const OURS = ['api', 'worker', 'faiss'];
/** The contract's map: port of the host → service and port in its container. */
const PORTS: Record<string, string> = {
  10000: 'postgres:5432',
  10001: 'redis:6379',
  10002: 'neo4j:7474',
  10003: 'neo4j:7687',
  10004: 'rabbitmq:5672',
  10005: 'rabbitmq:15672',
  10006: 'consul:8500',
  10008: 'kong:8000',
  10009: 'kong:8001',
  10100: 'chroma:8000',
  10101: 'qdrant:6333',
  10102: 'qdrant:6334',
  10103: 'faiss:10103',
  10200: 'api:10200',
  10201: 'api:10201',
  10202: 'worker:10202',
  10203: 'faiss:10203',
  11434: 'ollama:11434',
};
/** How each image is told to report nothing and to ask for no newer release; the others know neither. */
const SILENCE: Record<string, Record<string, string>> = {
  chroma: { ANONYMIZED_TELEMETRY: 'False' },
  qdrant: { QDRANT__TELEMETRY_DISABLED: 'true' },
  neo4j: { NEO4J_dbms_usage__report_enabled: 'false', NEO4J_client_allow__telemetry: 'false' },
  kong: { KONG_ANONYMOUS_REPORTS: 'off' },
  ollama: { OLLAMA_NO_CLOUD: '1' },
};
/** Without curl and wget. */
const BARE = ['chroma', 'qdrant', ...OURS];

let isAtLeast: (version: string, floor: string) => boolean;
let kong: { DEFAULT_ORIGINS: string[] };
beforeAll(async () => {
  ({ isAtLeast } = await loadScript<{ isAtLeast: typeof isAtLeast }>('supply/versions.mjs'));
  kong = await loadScript<typeof kong>('sync/kong.mjs');
});

const entries = (of: Compose): [string, Service][] => Object.entries(of.services);
const ours = (of: Compose): [string, Service][] => entries(of).filter(([name]) => OURS.includes(name));
const named = (list: [string, Service][]): string[] => list.map(([name]) => name);

/** What Compose makes of `${NAME-default}`, `${NAME:-default}` and `$$`. */
function filled(text: string, variables: Record<string, string> = {}): string {
  return text
    .replace(/\$\{(\w+)(:?)-([^}]*)\}/g, (_all, name: string, colon: string, usual: string) => {
      const value = variables[name];
      return value === undefined || (colon === ':' && value === '') ? usual : value;
    })
    .replaceAll('$$', '$');
}

function imageOf(service: Service): { name: string; version: string } | undefined {
  const [, name = '', version = ''] = /^([a-z0-9./-]+):v?(\d+\.\d+\.\d+)(?:-[a-z0-9]+)*$/.exec(service.image) ?? [];
  return name === '' ? undefined : { name, version };
}

function portOf(text: string): { address: string; host: string; inner: string } {
  const [inner = '', host = '', address = ''] = text.split(':').reverse();
  return { address, host, inner };
}

const sourceOf = (built: string): string => built.replace(/^dist\//, '').replace(/\.js$/, '.ts');
const secretNames = ({ secrets = [] }: Service): string[] => secrets.map((each) => (typeof each === 'string' ? each : each.source));

/** Each rule answers what breaks it; beside it a breach that it must find. */
const RULES: Record<string, { faults: (of: Compose) => unknown[]; breach: (of: Compose) => void }> = {
  'images have an exact version, at their floors and below what their licence allows': {
    faults: (of) =>
      entries(of).filter(([name, service]) => {
        const image = imageOf(service);
        if (image === undefined) return true;
        if (OURS.includes(name)) return image.name !== 'sutazai-platform' || image.version !== manifest.version;
        const bound = floors.images[image.name];
        return (
          bound === undefined ||
          !isAtLeast(image.version, bound.floor) ||
          (bound.below !== undefined && isAtLeast(image.version, bound.below))
        );
      }),
    breach: (of) => Object.assign(of.services.redis ?? {}, { image: 'redis:7.4.1-bookworm' }),
  },
  'no image is named by a tag that moves': {
    faults: (of) => entries(of).filter(([, { image }]) => /:latest|:\d+$|:\d+\.\d+$|^[^:]+$/.test(image)),
    breach: (of) => Object.assign(of.services.qdrant ?? {}, { image: 'qdrant/qdrant:latest' }),
  },
  'the ports are those of the contract': {
    faults: (of) => {
      const found = Object.fromEntries(
        entries(of).flatMap(([name, { ports = [] }]) => ports.map(portOf).map(({ host, inner }) => [host, `${name}:${inner}`] as const)),
      );
      return [...new Set([...Object.keys(PORTS), ...Object.keys(found)])].filter((port) => PORTS[port] !== found[port]);
    },
    breach: (of) => Object.assign(of.services.redis ?? {}, { ports: ['127.0.0.1:6379:6379'] }),
  },
  'every port but that of the proxy is published on loopback alone': {
    faults: (of) =>
      entries(of)
        .flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, ...portOf(port) })))
        .filter(({ host, address }) => (address === '127.0.0.1') === (host === '10008')),
    breach: (of) => Object.assign(of.services.kong ?? {}, { ports: ['10008:8000', '10009:8001'] }),
  },
  'nothing is named for one machine or opened to it': {
    faults: (of) =>
      entries(of).filter(
        ([, service]) =>
          ['container_name', 'privileged', 'network_mode', 'pid', 'ipc', 'cap_add', 'devices', 'links', 'extra_hosts'].some(
            (key) => key in service,
          ) || (service.volumes ?? []).some((volume) => volume.startsWith('/') || volume.includes('docker.sock')),
      ),
    breach: (of) => Object.assign(of.services.api ?? {}, { container_name: 'api' }),
  },
  'every service has a health check': {
    faults: (of) => entries(of).filter(([, { healthcheck }]) => healthcheck === undefined || healthcheck.test.length < 2),
    breach: (of) => delete of.services.kong?.healthcheck,
  },
  'a health check uses what the image has: a shell where there is neither curl nor wget, and never the name of this machine': {
    faults: (of) =>
      entries(of).filter(([name, { healthcheck }]) => {
        const [kind, program, flag, script = ''] = healthcheck?.test ?? [];
        const text = healthcheck?.test.join(' ') ?? '';
        if (/\bcurl\b|localhost:|\/localhost\//.test(text)) return true;
        if (!BARE.includes(name)) return false;
        return kind !== 'CMD' || program !== 'bash' || flag !== '-c' || !script.includes('/dev/tcp/127.0.0.1/') || /wget/.test(script);
      }),
    breach: (of) => Object.assign(of.services.chroma?.healthcheck ?? {}, { test: ['CMD-SHELL', 'curl -f http://127.0.0.1:8000/'] }),
  },
  'a dollar of a health check is doubled': {
    faults: (of) => entries(of).filter(([, { healthcheck }]) => /(?<!\$)(?:\$\$)*\$(?![${])/.test(healthcheck?.test.join(' ') ?? '')),
    breach: (of) => Object.assign(of.services.redis?.healthcheck ?? {}, { test: ['CMD-SHELL', 'echo $PORT'] }),
  },
  'a service waits until those that it needs are healthy, and needs nothing that its profile leaves out': {
    faults: (of) =>
      entries(of).flatMap(([name, { depends_on = {}, profiles }]) =>
        Object.entries(depends_on)
          .filter(([other, { condition, required = true }]) => {
            const there = of.services[other]?.profiles ?? [];
            const always = profiles.every((profile) => there.includes(profile));
            return condition !== 'service_healthy' || there.length === 0 || required !== always;
          })
          .map(([other]) => `${name} → ${other}`),
      ),
    breach: (of) => Object.assign(of.services.api?.depends_on ?? {}, { chroma: { condition: 'service_healthy' } }),
  },
  'each profile is the one before and more': {
    faults: (of) => {
      const core = ['api', 'consul', 'kong', 'postgres', 'rabbitmq', 'redis', 'worker'];
      const vectors = [...core, 'chroma', 'faiss', 'qdrant'];
      const wanted: Record<string, string[]> = { core, vectors, full: [...vectors, 'neo4j', 'ollama'] };
      return PROFILES.filter(
        (profile) =>
          `${named(entries(of).filter(([, { profiles }]) => profiles.includes(profile))).sort()}` !== `${wanted[profile]?.sort()}`,
      );
    },
    breach: (of) => Object.assign(of.services.worker ?? {}, { profiles: ['full'] }),
  },
  'what must last lies in a named volume that is declared': {
    faults: (of) => {
      const used = entries(of).flatMap(([, { volumes = [] }]) =>
        volumes.map((volume) => volume.split(':')[0] ?? '').filter((name) => /^[a-z]/.test(name)),
      );
      const lasting = ['postgres', 'rabbitmq', 'consul', 'neo4j', 'chroma', 'qdrant', 'faiss', 'ollama'];
      const without = lasting.filter((name) => !(of.services[name]?.volumes ?? []).some((volume) => /^[a-z0-9-]+:/.test(volume)));
      const declared = Object.keys(of.volumes);
      return [...without, ...used.filter((name) => !declared.includes(name)), ...declared.filter((name) => !used.includes(name))];
    },
    breach: (of) => Object.assign(of.services.postgres ?? {}, { volumes: ['./data:/var/lib/postgresql/data'] }),
  },
  'files that are handed in are there, and read-only': {
    faults: (of) =>
      entries(of)
        .flatMap(([, { volumes = [] }]) => volumes.map((volume) => filled(volume)))
        .filter((volume) => volume.startsWith('.'))
        .filter((volume) => !volume.endsWith(':ro') || !existsSync(join(ROOT, volume.split(':')[0] ?? ''))),
    breach: (of) => of.services.consul?.volumes?.push('./deploy/consul/other.hcl:/consul/config/other.hcl:ro'),
  },
  'every service has a limit of memory and gains no rights': {
    faults: (of) =>
      entries(of).filter(
        ([, { mem_limit = '', security_opt = [], restart, logging }]) =>
          !/^\d+[mg]$/.test(mem_limit) ||
          !security_opt.includes('no-new-privileges:true') ||
          restart !== 'unless-stopped' ||
          logging === undefined,
      ),
    breach: (of) => delete of.services.neo4j?.mem_limit,
  },
  'our own processes have no right, nothing to write to but what is named, and 40 s to end': {
    faults: (of) =>
      ours(of).filter(
        ([, service]) =>
          service.init !== true ||
          service.read_only !== true ||
          `${service.cap_drop}` !== 'ALL' ||
          service.stop_grace_period !== '40s' ||
          service.pids_limit === undefined ||
          !service.tmpfs?.includes('/tmp') ||
          service.build?.dockerfile !== 'deploy/Dockerfile' ||
          service.build.args.VERSION !== manifest.version ||
          'user' in service ||
          'entrypoint' in service,
      ),
    breach: (of) => Object.assign(of.services.worker ?? {}, { read_only: false }),
  },
  'no secret is a value: each comes as a file, to those alone that read it': {
    faults: (of) => [
      ...entries(of).flatMap(([name, { environment = {} }]) =>
        Object.entries(environment)
          .filter(
            ([key, value]) => /PASS|SECRET|TOKEN|_KEY|AUTH(?!_REGISTRATION)|CREDENTIAL/.test(key) && !key.endsWith('_FILE') && value !== '',
          )
          .map(([key]) => `${name} ${key}`),
      ),
      ...entries(of).flatMap(([name, service]) =>
        Object.entries(service.environment ?? {})
          .filter(([key, value]) => key.endsWith('_FILE') && !secretNames(service).some((secret) => value === `/run/secrets/${secret}`))
          .map(([key]) => `${name} ${key}`),
      ),
      ...entries(of).flatMap(([, service]) => secretNames(service).filter((secret) => of.secrets[secret] === undefined)),
      ...Object.entries(of.secrets).filter(([name, { file }]) => file !== `./deploy/secrets/${name}`),
      ...Object.keys(of.secrets).filter((name) => !entries(of).some(([, service]) => secretNames(service).includes(name))),
      ...(/:\/\/[^/\s${}]+:[^@\s]+@/.test(JSON.stringify(of)) ? ['a URL with a password'] : []),
    ],
    breach: (of) => Object.assign(of.services.postgres?.environment ?? {}, { POSTGRES_PASSWORD: 'postgres' }),
  },
  'no image reports to its makers or asks for a newer one': {
    faults: (of) => [
      ...Object.entries(SILENCE).filter(([name, wanted]) =>
        Object.entries(wanted).some(([key, value]) => of.services[name]?.environment?.[key] !== value),
      ),
      ...(/^disable_update_check\s+= true$/m.test(read('deploy/consul/consul.hcl')) ? [] : ['consul']),
    ],
    breach: (of) => delete of.services.qdrant?.environment?.QDRANT__TELEMETRY_DISABLED,
  },
  'PostgreSQL takes the connections of three APIs and three workers, and of people': {
    faults: (of) => {
      const most = Number(/max_connections=(\d+)/.exec(of.services.postgres?.command?.join(' ') ?? '')?.[1]);
      const { poolSize, poolOverflow } = parseConfig({}).database;
      return most >= 6 * (poolSize + poolOverflow) + 20 ? [] : [most];
    },
    breach: (of) => Object.assign(of.services.postgres ?? {}, { command: ['postgres', '-c', 'max_connections=100'] }),
  },
  'the network is the one of the contract unless a variable says otherwise, with fixed addresses outside of the range that is given out': {
    faults: (of) => {
      const [config] = of.networks.default?.ipam.config ?? [];
      const shown = (text = ''): string => filled(text);
      const moved = (text = ''): string => filled(text, { SUTAZAI_NETWORK: '10.99' });
      const fixed = entries(of).flatMap(([, { networks }]) => networks?.default.ipv4_address ?? []);
      const right =
        shown(config?.subnet) === '172.20.0.0/16' &&
        shown(config?.ip_range) === '172.20.128.0/17' &&
        moved(config?.subnet) === '10.99.0.0/16' &&
        fixed.length === 2 &&
        fixed.every((each) => /^172\.20\.0\.\d+$/.test(shown(each)) && moved(each).startsWith('10.99.0.'));
      return right ? [] : [config, ...fixed];
    },
    breach: (of) => Object.assign(of.networks.default?.ipam.config[0] ?? {}, { subnet: '10.0.0.0/16' }),
  },
  'the gateway asks Consul for names, is the only proxy that is believed, and believes nobody itself': {
    faults: (of) => {
      const { kong: gateway, consul, api } = of.services;
      const settings = gateway?.environment ?? {};
      const right =
        settings.KONG_DNS_RESOLVER === `${consul?.networks?.default.ipv4_address}:8600` &&
        api?.environment?.TRUSTED_PROXIES === gateway?.networks?.default.ipv4_address &&
        settings.KONG_TRUSTED_IPS === undefined &&
        settings.KONG_DATABASE === 'off' &&
        settings.KONG_UNTRUSTED_LUA === 'off' &&
        settings.KONG_ADMIN_GUI_LISTEN === 'off' &&
        `http://kong:${settings.KONG_STATUS_LISTEN?.split(':')[1]}` === api?.environment?.KONG_STATUS_URL &&
        // Fastify keeps an idle connection for 72 s.
        Number(settings.KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT) < 72;
      return right ? [] : [settings];
    },
    breach: (of) => Object.assign(of.services.api?.environment ?? {}, { TRUSTED_PROXIES: '0.0.0.0/0' }),
  },
  'the gateway loads the plugins that its configuration uses, and no other': {
    faults: (of) => {
      const used = new Set([...read('deploy/kong/kong.yml').matchAll(/^ +- name: ([a-z-]+)\n +config:/gm)].map(([, name]) => name));
      return `${[...used].sort()}` === `${of.services.kong?.environment?.KONG_PLUGINS?.split(',').sort()}` ? [] : [...used];
    },
    breach: (of) => Object.assign(of.services.kong?.environment ?? {}, { KONG_PLUGINS: 'bundled' }),
  },
  'the API and the gateway allow pages of the same origins': {
    faults: (of) => (filled(of.services.api?.environment?.CORS_ORIGINS ?? '') === kong.DEFAULT_ORIGINS.join(',') ? [] : ['CORS_ORIGINS']),
    breach: (of) => Object.assign(of.services.api?.environment ?? {}, { CORS_ORIGINS: '' }),
  },
};

describe('docker-compose.yml', () => {
  it.each(Object.entries(RULES))('%s', (_rule, { faults, breach }) => {
    expect(faults(compose)).toEqual([]);
    const broken = structuredClone(compose);
    breach(broken);
    expect(faults(broken)).not.toEqual([]);
  });

  it('bounds every image that it uses, with a reason', () => {
    const used = new Set(
      entries(compose)
        .filter(([name]) => !OURS.includes(name))
        .map(([, service]) => imageOf(service)?.name),
    );
    expect([...used, 'node'].sort()).toEqual(Object.keys(floors.images).sort());
    expect(Object.values(floors.images).filter(({ reason }) => reason.length < 8)).toEqual([]);
  });

  it('runs the images whose licences the README names', () => {
    const table = [...read('README.md').matchAll(/^\| [^|]+ \| `([^`|]+:[^`|]+)` \| [^|]+ \|$/gm)].map(([, image]) => image);
    const used = entries(compose)
      .filter(([name]) => !OURS.includes(name))
      .map(([, { image }]) => image);
    expect(table.sort()).toEqual(used.sort());
  });

  it('takes no variable that its guide does not tell of, and each has a default', () => {
    const text = read('docker-compose.yml');
    const used = new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name));
    const told = new Set([...read('docs/deploy.md').matchAll(/`(SUTAZAI_\w+)`/g)].map(([, name]) => name));
    // The profiles set these.
    const ofProfiles = ['NEO4J', 'CHROMA', 'QDRANT', 'FAISS'].map((service) => `SUTAZAI_${service}_URL`);
    expect([...used].filter((name) => !told.has(name)).sort()).toEqual(ofProfiles.sort());
    expect([...text.matchAll(/\$\{\w+\}|\$\{\w+:?\?/g)]).toEqual([]);
  });

  it('starts what the image holds', () => {
    const programs = ours(compose).map(([name, { command }]) => [name, command?.at(-1) ?? 'dist/apps/api/src/main.js'] as const);
    expect(programs.filter(([, path]) => !/^dist\/apps\/[a-z]+\/src\/main\.js$/.test(path))).toEqual([]);
    expect(programs.filter(([name, path]) => !path.startsWith(`dist/apps/${name}/`) || !existsSync(join(ROOT, sourceOf(path))))).toEqual(
      [],
    );
  });
});

describe('the secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-secrets-'));
  const place = join(folder, 'secrets');
  const make = (): string => execFileSync('sh', [join(ROOT, 'deploy', 'make-secrets.sh'), place], { encoding: 'utf8' });
  const contents = (): Record<string, string> =>
    Object.fromEntries(readdirSync(place).map((name) => [name, readFileSync(join(place, name), 'utf8')]));

  beforeAll(() => void make());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are made once, long and different', () => {
    const first = contents();
    expect(make()).not.toMatch(/^made/m);
    expect(contents()).toEqual(first);
    const random = Object.values(first).filter((text) => /^[0-9a-f]{64}$/.test(text));
    expect(random).toHaveLength(8);
    expect(new Set(random).size).toBe(8);
    expect(Object.values(first).filter((text) => text === '')).toEqual([]);
  });

  it('are those of the file, no more and no less', () => {
    const made = readdirSync(place).filter((name) => name !== 'rabbitmq-password');
    expect(made.sort()).toEqual(Object.keys(compose.secrets).sort());
  });

  it('are closed to everybody else by their folder, and open to a container that is given one', () => {
    expect((statSync(place).mode & 0o777).toString(8)).toBe('700');
    expect(readdirSync(place).filter((name) => (statSync(join(place, name)).mode & 0o777) !== 0o444)).toEqual([]);
  });

  it('that are missing are made anew of the others, which stay', () => {
    const first = contents();
    rmSync(join(place, 'redis-url'));
    expect(make()).toMatch(/^made redis-url$/m);
    expect(contents()).toEqual(first);
  });

  it('stay out of the repository and of the image', () => {
    expect(read('.gitignore').split('\n')).toContain('deploy/secrets/');
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toContain('*');
    expect(ignored.filter((line) => line.startsWith('!') && /deploy|\.env|secret/.test(line))).toEqual([]);
  });

  it('give Redis the rights that its tests run with', () => {
    const rights = /^const RIGHTS = '(.+)';$/m.exec(read('scripts/services/redis.mjs'))?.[1];
    const [first, second, ...others] = (contents()['redis-users.acl'] ?? '').split('\n');
    expect([first, second?.replace(/>[0-9a-f]{64}/, '>…'), ...others]).toEqual(['user default reset', `user app on >… ${rights}`, '']);
  });

  it('and the settings are what our processes accept, in every profile', () => {
    for (const profile of PROFILES) {
      const variables = Object.fromEntries(
        read(`deploy/profiles/${profile}.env`)
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
      );
      expect(variables.COMPOSE_PROFILES).toBe(profile);
      for (const [name, { environment = {}, profiles }] of ours(compose)) {
        if (!profiles.includes(profile)) continue;
        const values = Object.entries(environment).map(([key, value]) => [key, filled(value, variables).replace('/run/secrets', place)]);
        const settings = { NODE_ENV: 'production', HOST: '0.0.0.0', ...Object.fromEntries(values) } as Record<string, string>;
        const config = parseConfig(settings, name as 'api' | 'worker' | 'faiss');
        expect([config.production, config.metrics.port]).toEqual([true, { api: 10_201, worker: 10_202, faiss: 10_203 }[name]]);
        if (name === 'faiss') continue;
        const there = (service: string): boolean => compose.services[service]?.profiles.includes(profile) === true;
        const urls = {
          neo4j: config.neo4j.url,
          chroma: config.chroma.url,
          qdrant: config.qdrant.url,
          faiss: config.faiss.url,
          ollama: config.ollama.urls[0],
        };
        expect(Object.entries(urls).filter(([service, url]) => (url !== undefined) !== there(service))).toEqual([]);
        expect(config.database.url).toMatch(/^postgres:\/\/app:[0-9a-f]{64}@postgres:5432\/sutazai$/);
      }
    }
  });

  it('and every setting of ours is one that is read', () => {
    const known = new Set([...read('.env.example').matchAll(/^# ([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name));
    const given = ours(compose).flatMap(([, { environment = {} }]) => Object.keys(environment).map((key) => key.replace(/_FILE$/, '')));
    expect(given.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the question of a health check without curl', () => {
  const DOCKERFILE = read('deploy/Dockerfile');
  const ofImage = (JSON.parse(/^ {2}CMD (\[.*\])$/m.exec(DOCKERFILE)?.[1] ?? '[]') as string[])[2] ?? '';
  const questions = [
    ...BARE.map((name) => [name, filled(compose.services[name]?.healthcheck?.test[3] ?? '').replace(/\/(\d{4,5}) /, '/$PORT ')] as const),
    ['the image', ofImage] as const,
  ];
  /** Its exit code, with the port of the service replaced by a free one of this machine. */
  const ask = (script: string, port: number): Promise<number | null> =>
    new Promise((resolve) =>
      spawn('bash', ['-c', script], { env: { PATH: process.env.PATH, PORT: String(port) }, stdio: 'ignore' }).once('close', resolve),
    );

  it.each(questions)('of %s is answered by 200 alone', async (name, script) => {
    let status = 200;
    const asked: string[] = [];
    const server = createServer((request, answer) => {
      asked.push(`${request.method} ${request.url}`);
      answer.writeHead(status).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await ask(script, port)).toBe(0);
    status = 503;
    expect(await ask(script, port)).not.toBe(0);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(script, port)).not.toBe(0);
    expect(asked).toEqual(Array.from({ length: 2 }, () => (name === 'chroma' ? 'GET /api/v2/heartbeat' : 'GET /readyz')));
  });
});

/** The client checks more than is said above: types, names of fields, references. It needs no Docker. */
const client = spawnSync(process.execPath, [join(ROOT, 'scripts', 'services', 'compose.mjs')], { encoding: 'utf8', timeout: 180_000 });
const cannot = client.status === 0 ? undefined : client.stderr.trim().split('\n').at(-1);
const describeClient = cannot === undefined || process.env.REQUIRE_SERVICES === '1' ? describe : describe.skip;

describeClient(`the client of Docker Compose${cannot === undefined ? '' : `, which is not there: ${cannot}`}`, () => {
  const config = (args: string[], folder = ROOT): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(client.stdout.trim(), [...args, 'config', '--format', 'json'], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  const withFile = (name: string): string[] => ['-f', 'docker-compose.yml', '-f', name];

  it.each(PROFILES)('accepts the profile %s', (profile) => {
    const { status, stdout, stderr } = config(['--env-file', `deploy/profiles/${profile}.env`]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const found = Object.keys((JSON.parse(stdout) as Compose).services).sort();
    expect(found).toEqual(named(entries(compose).filter(([, { profiles }]) => profiles.includes(profile))).sort());
  });

  it('accepts a profile that is named by its flag', () => {
    expect(config(['--profile', 'full']).status).toBe(0);
  });

  it('gives Ollama the GPUs with the file for them', () => {
    const { stdout } = config([...withFile('docker-compose.gpu.yml'), '--profile', 'full']);
    const devices = { reservations: { devices: [{ driver: 'nvidia', capabilities: ['gpu'] }] } };
    expect(JSON.parse(stdout)).toMatchObject({ services: { ollama: { deploy: { resources: devices } } } });
  });

  it('publishes no port of several APIs and workers', () => {
    const { stdout } = config([...withFile('docker-compose.scale.yml'), '--profile', 'core']);
    const { api, worker } = (JSON.parse(stdout) as Compose).services;
    expect([api?.ports, worker?.ports, api?.deploy]).toEqual([undefined, undefined, expect.objectContaining({ replicas: 2 })]);
  });

  it.each([
    ['an unknown field', 'services: { api: { image: a, memory: 1g } }'],
    ['an unknown dependency', 'services: { api: { image: a, depends_on: [b] } }'],
    ['a volume that is not declared', 'services: { api: { image: a, volumes: ["data:/data"] } }'],
    ['a missing variable', 'services: { api: { image: "a:${SUTAZAI_NOWHERE:?run deploy/make-secrets.sh first}" } }'],
  ])('refuses %s', (_what, text) => {
    const folder = mkdtempSync(join(tmpdir(), 'sutazai-compose-'));
    try {
      writeFileSync(join(folder, 'docker-compose.yml'), text);
      expect(config([], folder).status).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
