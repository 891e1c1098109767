import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiExtension, ApiHeader } from '@nestjs/swagger';
import type { Role, Scope } from '@kernel/identity';

/** What a route demands; read by the `onRequest` hook from Fastify's route config. A route without it is refused to everybody. */
export type RouteAccess = { public: true } | { public: false; scopes: readonly Scope[] | 'any'; role: Role };

/** What a route may carry beside its access. */
export interface RouteOptions {
  /** Takes `multipart/form-data` (files) up to MAX_UPLOAD_BYTES; every other route takes JSON only. */
  uploads?: boolean;
  /** Bytes of a JSON body, where they may be more than the usual 1 MiB. */
  jsonBytes?: number;
  /** Takes `application/octet-stream` too, up to so many bytes; every other route refuses it. */
  binaryBytes?: number;
  /** Long lists of numbers in a large JSON body arrive as Float64Array. */
  packs?: boolean;
  /** Answers under any `Host`: probes, which orchestrators call by address. */
  anyHost?: boolean;
  /** Makes models work, now or in a job: refused with 429 `budget_exhausted` to a key that has no tokens left today. */
  spends?: boolean;
  /** Needs the instance admin, whatever the role in the workspace. */
  instance?: boolean;
  /**
   * The least role in the workspace of the path parameter `id` (of a list: in each workspace on it), which need not be the token's own; a key needs the
   * scope `admin` and reaches its own workspace only. The feature checks it; 404 for strangers.
   */
  member?: Role;
  /** For people with an access token; refused to API keys. */
  persons?: boolean;
  /**
   * Makes something, and takes an `Idempotency-Key` so that a repeat makes nothing more; the repeat gets the same answer, or 409 where that holds a
   * `secret`.
   */
  creates?: 'answer' | 'secret';
  /** Answers without a token too while the server listens on loopback alone. */
  publicOnLoopback?: boolean;
}

/** Fastify's route config of every route. */
export interface RouteMarks extends RouteOptions {
  access?: RouteAccess;
}

/** What an `Idempotency-Key` does, as the API document says it. */
const REPEATED: Record<NonNullable<RouteOptions['creates']>, string> = {
  answer: 'a repeat within 24 hours gets the same answer and does nothing more.',
  secret: 'a repeat within 24 hours does nothing more, and is answered with 409: the secret is shown once.',
};

/** Nobody needs to prove who they are. */
export const Public = (options: RouteOptions = {}) => RouteConfig({ access: { public: true }, ...options } satisfies RouteMarks);

/** A principal whose scopes hold one of `scopes` (`any`: whoever is authenticated) and whose role in the workspace is at least `role`. */
export const Access = (scopes: Scope | Scope[] | 'any', role: Role = 'viewer', options: RouteOptions = {}) => {
  const wanted = typeof scopes === 'string' && scopes !== 'any' ? [scopes] : scopes;
  return applyDecorators(
    RouteConfig({ access: { public: false, scopes: wanted, role }, ...options } satisfies RouteMarks),
    ApiBearerAuth(),
    ApiExtension('x-access', { scopes: wanted, role }),
    ...(options.creates === undefined ? [] : named(options.creates)),
  );
};

function named(creates: NonNullable<RouteOptions['creates']>) {
  const description = `Names this request, in 1 to 255 printable ASCII characters: ${REPEATED[creates]}`;
  return [ApiHeader({ name: 'Idempotency-Key', required: false, description }), ApiExtension('x-idempotency', creates)];
}
