import { AsyncLocalStorage } from 'node:async_hooks';
import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Level, type Logger, pino } from 'pino';
import { loggedFields } from './log-fields';
import { sourceStack } from './source-stack';

const FRAMEWORK: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'NestMicroservice',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * The process's log: JSON lines on standard output. Inside a request every line carries its `request_id`. Objects are written by an
 * allow-list of fields; texts are written as they are, so they must never hold a body, a query or a token.
 */
export class AppLog implements LoggerService {
  private readonly requests = new AsyncLocalStorage<string>();
  private readonly logger: Logger;

  constructor(level: Level | 'silent', destination?: DestinationStream) {
    const options = {
      level,
      base: null,
      formatters: { level: (label: string) => ({ level: label }) },
      mixin: () => this.mixin(),
      timestamp: pino.stdTimeFunctions.isoTime,
    };
    this.logger = destination === undefined ? pino(options) : pino(options, destination);
  }

  /** Runs `work`, and whatever it starts, under a request id. */
  within(requestId: string, work: () => void): void {
    this.requests.run(requestId, work);
  }

  log(message: unknown, context?: unknown): void {
    // The framework's own account of its start is of interest only to whoever looks for a fault in it.
    this.write(FRAMEWORK.has(context) ? 'debug' : 'info', message, context);
  }

  warn(message: unknown, context?: unknown): void {
    this.write('warn', message, context);
  }

  debug(message: unknown, context?: unknown): void {
    this.write('debug', message, context);
  }

  verbose(message: unknown, context?: unknown): void {
    this.write('trace', message, context);
  }

  fatal(message: unknown, context?: unknown): void {
    this.write('fatal', message, context);
  }

  /** Nest's loggers give (message, stack, context), or (message, context). */
  error(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    // A start that fails is reported by whoever started it, in words for people.
    this.write(context === 'ExceptionHandler' ? 'debug' : 'error', message, context, stack);
  }

  private write(level: Level, message: unknown, context: unknown, stack?: string): void {
    if (!this.logger.isLevelEnabled(level)) return;
    const fields = typeof context === 'string' ? { context } : {};
    const own = message instanceof Error ? (stack ?? message.stack) : stack;
    const places = own === undefined ? {} : { stack: sourceStack(own) };
    if (message instanceof Error) this.logger[level]({ ...fields, ...places }, message.message);
    else if (typeof message === 'object' && message !== null) this.logger[level]({ ...fields, ...loggedFields(message) }, textOf(message));
    else this.logger[level]({ ...fields, ...places }, String(message));
  }

  private mixin(): object {
    const requestId = this.requests.getStore();
    return requestId === undefined ? {} : { request_id: requestId };
  }
}

function textOf(message: object): string | undefined {
  const { msg } = message as { msg?: unknown };
  return typeof msg === 'string' ? msg : undefined;
}
