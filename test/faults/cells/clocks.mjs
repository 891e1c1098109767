// The wall clocks of the product's processes, which libfaketime lets us set while they run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folders } from '../../../scripts/settings.mjs';
import { installDebianPackages } from '../../../scripts/services/debian-packages.mjs';
import { exists } from '../../../scripts/services/server.mjs';

const LIBRARIES = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`);

async function library() {
  for (const path of LIBRARIES) if (await exists(path)) return path;
  return undefined;
}

export class Clocks {
  static async open(directory) {
    if ((await library()) === undefined)
      await installDebianPackages(['libfaketime'], {
        cache: folders().servicesCache,
        name: 'libfaketime',
        instead: 'leave the cells `clock` out',
      });
    const clocks = new Clocks();
    Object.assign(clocks, { directory, library: await library() });
    return clocks;
  }

  environmentOf(name) {
    this.set(name, '+0');
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.#file(name),
      // Seconds for which the file is not read again.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  set(name, by) {
    writeFileSync(this.#file(name), `${by}\n`);
  }

  #file(name) {
    return join(this.directory, `clock-${name}`);
  }
}
