import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Health, Readiness } from '@features/health';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { Access, Public } from '../http/access.decorator';
import { Answers, Problems } from '../http/answers.decorator';
import type { AuthenticatedRequest } from '../http/caller.decorator';
import {
  detailedHealthSchema,
  detailedHealthView,
  healthSchema,
  healthView,
  probeSchema,
  serviceSchema,
  serviceView,
} from './health.schema';

/** Probes for orchestrators and the state of the services for people; machines need the status code only. */
@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly health: Health,
    private readonly readiness: Readiness,
  ) {}

  @Get('livez')
  @Public({ anyHost: true })
  @ApiOperation({ summary: 'The process turns its event loop; touches nothing' })
  @Answers(200, probeSchema, 'Alive.')
  live(): z.infer<typeof probeSchema> {
    return { status: 'ok' };
  }

  /** The server listens only after the settings were read and the schema was brought to the version of this build. */
  @Get('startupz')
  @Public({ anyHost: true })
  @ApiOperation({ summary: 'Settings are read and the schema is at the version of this build' })
  @Answers(200, probeSchema, 'Started.')
  startup(): z.infer<typeof probeSchema> {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Public({ anyHost: true })
  @ApiOperation({ summary: 'Traffic may come: not draining, and the database answered within the last 10 s' })
  @Answers(200, probeSchema, 'Ready.')
  @Answers(503, probeSchema, 'Draining, or the database does not answer.')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<z.infer<typeof probeSchema>> {
    const ready = await this.readiness.ready();
    if (!ready) void reply.code(503);
    return { status: ready ? 'ok' : 'unavailable' };
  }

  @Get('health')
  @Public()
  @ApiOperation({ summary: 'The state of the whole' })
  @Answers(200, healthSchema, 'The platform works, perhaps without an optional part.')
  @Answers(503, healthSchema, 'A required service is down.')
  async summary(@Res({ passthrough: true }) reply: FastifyReply): Promise<z.infer<typeof healthSchema>> {
    const summary = await this.health.summary();
    if (summary.status === 'unavailable') void reply.code(503);
    return healthView(summary);
  }

  @Get(['health/detailed', 'api/v1/health'])
  @Access('any', 'viewer', { publicOnLoopback: true })
  @ApiOperation({ summary: 'The state of every service; open to all on a loopback-only server' })
  @Answers(200, detailedHealthSchema, 'Every service, at most 5 s old.')
  async detailed(@Req() request: AuthenticatedRequest): Promise<z.infer<typeof detailedHealthSchema>> {
    return detailedHealthView(await this.health.details(), request.principal?.instanceAdmin === true);
  }

  @Get('api/v1/health/services/:name')
  @Access('any', 'viewer', { publicOnLoopback: true })
  @ApiOperation({ summary: 'The state of one service; open to all on a loopback-only server' })
  @Answers(200, serviceSchema, 'The service, at most 5 s old.')
  @Problems('not_found')
  async service(@Param('name') name: string, @Req() request: AuthenticatedRequest): Promise<z.infer<typeof serviceSchema>> {
    return serviceView(await this.health.service(name), request.principal?.instanceAdmin === true);
  }
}
