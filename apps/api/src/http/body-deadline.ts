import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteMarks } from './access.decorator';
import { REQUEST_TIMEOUT } from './unreadable-request';

/** Times in milliseconds. */
export interface BodyTimes {
  /** For a whole body of the usual size. */
  whole: number;
  /** Without a single byte, in a body of any size. */
  stall: number;
  /** For the rest of a body that was answered without being read. */
  linger: number;
}

const TIMES: BodyTimes = { whole: 60_000, stall: 20_000, linger: 10_000 };
const LOOKS_PER_STALL = 4;

/**
 * Ends requests whose body does not arrive: usual ones after a minute, large ones when nothing has come for a while (the server's own deadline for
 * a request bounds those that trickle), and refused ones whose body nobody wants. They are answered with 408, if not answered yet.
 */
@Injectable()
export class BodyDeadline {
  readonly times: BodyTimes = { ...TIMES };

  /** From the time at which the body may come. */
  watch(request: FastifyRequest): void {
    const { raw } = request;
    if (raw.complete) return;
    const { uploads, jsonBytes, binaryBytes } = request.routeOptions.config as RouteMarks;
    const large = uploads === true || jsonBytes !== undefined || binaryBytes !== undefined;
    const begun = performance.now();
    let bytes = raw.socket.bytesRead;
    let moved = begun;
    const look = setInterval(() => {
      if (raw.complete || raw.socket.destroyed) return clearInterval(look);
      const now = performance.now();
      if (raw.socket.bytesRead !== bytes) {
        bytes = raw.socket.bytesRead;
        moved = now;
      }
      // Bytes that wait because this side does not read are not the sender's fault.
      if (raw.isPaused()) moved = now;
      if (now - moved < this.times.stall && (large || now - begun < this.times.whole)) return;
      clearInterval(look);
      request.server.server.emit(
        'clientError',
        Object.assign(new Error('The body did not arrive in time.'), { code: REQUEST_TIMEOUT }),
        raw.socket,
      );
    }, this.times.stall / LOOKS_PER_STALL);
    look.unref();
    raw.once('close', () => clearInterval(look));
  }

  /** From the end of the answer. */
  release({ raw }: FastifyReply): void {
    const request = raw.req;
    if (request.complete || request.socket.destroyed) return;
    const late = setTimeout(() => request.complete || request.socket.destroy(), this.times.linger);
    // Not of the socket, which may carry thousands of refused requests.
    request.once('close', () => clearTimeout(late));
  }
}
