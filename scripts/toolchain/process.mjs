import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder: everything the scripts touch is found from here, never from the caller's folder. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Progress of the scripts goes to stderr, so that a tool's own stdout stays clean. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** The error of a step that ended badly for a reason the reader can act on: shown as one sentence, without a stack. */
export class StepError extends Error {}

/** The environment of a child that must find the given Node first, whatever `node` means on this machine. */
export function environmentFor(node, extra = {}) {
  const key = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const separator = process.platform === 'win32' ? ';' : ':';
  return { ...process.env, [key]: [dirname(node), process.env[key]].filter(Boolean).join(separator), ...extra };
}

/** Runs a program to its end; answers its exit code (128 + signal number when a signal ended it). Rejects when it cannot be started. */
export function run(command, args, { stdio = 'inherit', ...options } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: ROOT, stdio, ...options });
    child.once('error', failed);
    child.once('exit', (code, signal) => done(exitCode(code, signal)));
  });
}

/**
 * Runs a program in the foreground until it ends, passing on the signals sent to this process alone. At a terminal Ctrl-C
 * reaches the whole process group, so the program already has it: passing it on would look like a second, impatient Ctrl-C.
 */
export function runForeground(command, args, options = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
    const atTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
    const passOn = (signal) => {
      if (!(signal === 'SIGINT' && atTerminal)) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, passOn);
    child.once('error', failed);
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, passOn);
      done(exitCode(code, signal));
    });
  });
}

/** Runs a script's main function: its answer is the exit code, a `StepError` is one sentence, anything else keeps its stack. */
export async function exitWith(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    say(error instanceof StepError ? error.message : String(error?.stack ?? error));
    process.exitCode = 1;
  }
}

/** True when the module at `url` is the program being run, not an import of another one. */
export function isProgram(url) {
  return process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(url);
}

function exitCode(code, signal) {
  return signal ? 128 + (constants.signals[signal] ?? 0) : code;
}

/**
 * Of every process of the product. Half of Node's own young generation: what a start leaves behind does not double the heap (`npm run bench:startup`
 * prints the resident memory).
 */
export const NODE_FLAGS = ['--max-semi-space-size=8'];
