import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth } from '@nestjs/swagger';
import type { Role, Scope } from '@kernel/identity';

/** What a route demands; read by the `onRequest` hook from Fastify's route config. A route without it is refused to everybody. */
export type RouteAccess = { public: true } | { public: false; scope: Scope | 'any'; role: Role };

/** Nobody needs to prove who they are. */
export const Public = () => RouteConfig({ access: { public: true } satisfies RouteAccess });

/** A principal whose scopes hold `scope` (`any`: whoever is authenticated) and whose role in the workspace is at least `role`. */
export const Access = (scope: Scope | 'any', role: Role = 'viewer') =>
  applyDecorators(RouteConfig({ access: { public: false, scope, role } satisfies RouteAccess }), ApiBearerAuth());
