import { DirectoryError } from '@backing/data-directory';
import { ConfigError } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { sourceStack } from '@kernel/log';

/** EX_UNAVAILABLE of sysexits.h: an address or a service that the start needs cannot be had. */
const UNAVAILABLE = 69;

/** What a process that could not start says, and the code it ends with: what was expected speaks for itself, anything else with its stack. */
export function faultOf(error: unknown): { text: string; exitCode: number } {
  if (error instanceof ConfigError || error instanceof DirectoryError) return { text: error.message, exitCode: error.exitCode };
  if (error instanceof AppError) return { text: error.message, exitCode: UNAVAILABLE };
  return { text: error instanceof Error ? sourceStack(String(error.stack)) : String(error), exitCode: 1 };
}
