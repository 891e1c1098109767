import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { AgentTool } from './agent-tool';

/** The server's clock, in a time zone of the IANA list. */
@Injectable()
export class CurrentTimeTool extends AgentTool<{ time_zone?: string }> {
  readonly definition = {
    name: 'current_time',
    description: 'Tells the current date and time.',
    parameters: {
      type: 'object',
      properties: { time_zone: { type: 'string', maxLength: 64, description: 'An IANA name such as Europe/Zurich; UTC without it.' } },
      additionalProperties: false,
    },
  };

  async run({
    time_zone: zone = 'UTC',
  }: {
    time_zone?: string;
  }): Promise<{ utc: string; time_zone: string; local: string; weekday: string }> {
    const now = new Date();
    return { utc: now.toISOString(), time_zone: zone, local: written(now, zone), weekday: weekday(now, zone) };
  }
}

/** `2026-03-01 14:05:09` */
function written(now: Date, zone: string): string {
  return inZone(zone, { dateStyle: 'short', timeStyle: 'medium' }, 'sv-SE').format(now);
}

function weekday(now: Date, zone: string): string {
  return inZone(zone, { weekday: 'long' }, 'en-GB').format(now);
}

function inZone(timeZone: string, options: Intl.DateTimeFormatOptions, locale: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone });
  } catch {
    throw new AppError('invalid', `There is no time zone ${timeZone.slice(0, 64)}; use an IANA name such as Europe/Zurich.`);
  }
}
