import { setFlagsFromString } from 'node:v8';

/** V8's compilers that work beside the main thread. */
const COMPILERS = ['--no-sparkplug', '--no-maglev', '--no-turbofan'];
/** Milliseconds in which what they have begun comes to its end. */
const QUIET_MS = 250;

/**
 * Ends the process in order. At its exit Node waits for V8's threads, and one of them that compiles a function and asks the main thread for a garbage
 * collection waits for that: neither goes on, and no timer of this process can end it (nodejs/node 54918). So nothing more is compiled, and what was begun
 * gets a moment in which the event loop turns and serves it.
 */
export async function endProcess(code: number): Promise<never> {
  for (const flag of COMPILERS) setFlagsFromString(flag);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  process.exit(code);
}
