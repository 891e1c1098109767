import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import { Audit } from '@features/audit';
import type { AppConfig } from '@kernel/config';
import type { AppLog } from '@kernel/log';
import type { FastifyInstance } from 'fastify';
import { registerIdempotency } from '../idempotency/idempotency-hooks';
import { IdempotentRequests } from '../idempotency/idempotent-requests.service';
import { HttpMetrics } from '../metrics/http-metrics.service';
import { BodyDeadline } from './body-deadline';
import { registerBodyParsers } from './body-parsers';
import { clientAddress } from './client-address';
import { corsOptions } from './cors';
import { checkText } from './json-body';
import { OpenAnswers } from './open-answers.service';
import { RequestGuard } from './request.guard';
import { RequestsAtOnce } from './requests-at-once';
import { responseHeaders, setResponseHeaders } from './response-headers';

/** Those who want to know of the end of one answer: at most, so that a leak is still told from them. */
const MOST_LISTENERS = 20;

/** What happens to every request around its handler: headers, the guard before the body, the one body parser, one log line. */
export function registerHooks(app: NestFastifyApplication, config: AppConfig, log: AppLog): void {
  const instance = app.getHttpAdapter().getInstance();
  const guard = app.get(RequestGuard);
  const metrics = app.get(HttpMetrics, { strict: false });
  const common = responseHeaders(config);
  const audit = app.get(Audit, { strict: false });
  const answers = app.get(OpenAnswers);
  // The adapter's own hook runs first of all, before a preflight is answered.
  (app.getHttpAdapter() as unknown as FastifyAdapter).setOnRequestHook((request, reply, done) => {
    setResponseHeaders(common, request, reply);
    reply.raw.setMaxListeners(MOST_LISTENERS);
    metrics.begin();
    log.within(request.id, () => done());
  });
  if (config.http.corsOrigins.length > 0) app.enableCors(corsOptions(config.http.corsOrigins));
  instance.addHook('onRequest', async (request, reply) => {
    await guard.check(request, reply);
    answers.watch(request, reply);
  });
  boundRequests(instance, new RequestsAtOnce(config.limits.requestsPerMinute), app.get(BodyDeadline));
  // Reading the body leaves the request's own asynchronous context.
  instance.addHook('preValidation', (request, _reply, done) =>
    log.within(request.id, () =>
      audit.within({ address: clientAddress(request), requestId: request.id }, () => answers.within(request, done)),
    ),
  );
  instance.addHook('preValidation', (request, _reply, done) => {
    checkText(request.query, 'query');
    checkText(request.params, 'path');
    done();
  });
  registerIdempotency(instance, app.get(IdempotentRequests, { strict: false }));
  tellAnswers(instance, metrics, log);
  registerBodyParsers(instance);
}

/** One line in the log and one count for each request, when it has been answered. */
function tellAnswers(instance: FastifyInstance, metrics: HttpMetrics, log: AppLog): void {
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
    metrics.end(request.method, route, reply.statusCode, reply.elapsedTime);
    log.log({
      msg: 'request',
      method: request.method,
      route,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      request_id: request.id,
    });
    done();
  });
}

/** How many are answered at once, and for how long a body is waited for; it is asked for only now, when the guard has let the request in. */
function boundRequests(instance: FastifyInstance, atOnce: RequestsAtOnce, deadline: BodyDeadline): void {
  const { server } = instance;
  for (const event of ['checkContinue', 'checkExpectation'])
    server.on(event, (request: IncomingMessage, answer: ServerResponse) => server.emit('request', request, answer));
  instance.addHook('onRequest', (request, reply, done) => {
    atOnce.admit(request, reply);
    done();
  });
  instance.addHook('preParsing', (request, reply, _payload, done) => {
    if (request.headers.expect !== undefined) reply.raw.writeContinue();
    deadline.watch(request);
    done();
  });
  instance.addHook('onResponse', (_request, reply, done) => {
    deadline.release(reply);
    done();
  });
}
