import type { VictimIds } from '../kit';

export type ThingKind = keyof VictimIds;

/** What a path parameter is the id of, by the segment before it. `open` names are the same for everybody: models, services, pages of the documentation. */
const KINDS: Record<string, ThingKind | 'open'> = {
  workspaces: 'workspace',
  users: 'user',
  members: 'member',
  invitations: 'invitation',
  keys: 'key',
  collections: 'collection',
  points: 'point',
  documents: 'document',
  sessions: 'session',
  messages: 'message',
  jobs: 'job',
  agents: 'agent',
  runs: 'run',
  models: 'open',
  services: 'open',
  assets: 'open',
  errors: 'open',
};
const OPEN_NAMES: Record<string, string> = {
  models: 'smollm2-135m-instruct',
  services: 'postgres',
  assets: 'docs.css',
  errors: 'invalid',
};

/** Kinds of the path parameters of a route; throws when one stands behind a segment that nobody has thought about. */
export function kindsIn(url: string): (ThingKind | 'open')[] {
  return parametersOf(url).map(({ kind }) => kind);
}

/** The route's path with these ids in it. */
export function pathTo(url: string, ids: VictimIds): string {
  return parametersOf(url).reduce((path, { parameter, kind, segment }) => {
    const id = kind === 'open' ? (OPEN_NAMES[segment] ?? '') : ids[kind];
    return path.replace(`:${parameter}`, encodeURIComponent(id));
  }, url);
}

function parametersOf(url: string): { parameter: string; segment: string; kind: ThingKind | 'open' }[] {
  const segments = url.split('/');
  return segments.flatMap((part, at) => {
    if (!part.startsWith(':')) return [];
    const segment = segments[at - 1] ?? '';
    const kind = KINDS[segment];
    if (kind === undefined) throw new Error(`${url}: whose id stands behind "${segment}"? Say so in path-ids.ts.`);
    return [{ parameter: part.slice(1), segment, kind }];
  });
}
