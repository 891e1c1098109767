import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const CHANNEL = 'tracing:child_process.spawn:start';
/** The library of the built-in models tries its binary in a process of its own, once, before it loads it. */
const KNOWN = /node-llama-cpp\/dist\/bindings\/utils\/testBindingBinary\.js$/u;

/** Sees every process that this one starts, by Node's own channel; keeps the command lines of those that are not known. */
export class ExecCanary {
  readonly started: string[] = [];
  private readonly notice = (message: unknown): void => {
    const { options } = message as { options: { args: string[] } };
    const line = options.args.join(' ');
    if (!KNOWN.test(line)) this.started.push(line);
  };

  constructor() {
    subscribe(CHANNEL, this.notice);
  }

  close(): void {
    unsubscribe(CHANNEL, this.notice);
  }
}
