// Small disks of servers' own, really full when they are full.
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { smallDisk } from '../../support/small-disk.ts';

/** Less than the broker's `disk_free_limit`. */
const LEFT_BYTES = 30 * 2 ** 20;
const BLOCK = Buffer.alloc(65_536);

export class Disks {
  #disks = {};

  /** `sizes`: bytes by the server's name. Throws where this user may not mount. */
  static mount(sizes) {
    const disks = new Disks();
    for (const [name, bytes] of Object.entries(sizes)) {
      const path = mkdtempSync(join(tmpdir(), `sutazai-disk-${name}-`));
      const disk = smallDisk(path, bytes);
      if (disk === undefined) throw new Error('No small disk can be mounted here: the cells `disk` need the right to mount a tmpfs.');
      chmodSync(path, 0o755);
      disks.#disks[name] = { path, disk };
    }
    return disks;
  }

  /** For the starts of the servers. */
  get options() {
    return Object.fromEntries(Object.entries(this.#disks).map(([name, { path }]) => [name, { directory: join(path, 'server') }]));
  }

  /**
   * Until the last byte, or until its server says that there is too little; the answered function makes room again. A broker whose last byte is taken is lost
   * until somebody starts it again, which its alarm is there to prevent: it is the alarm that is put to the test.
   */
  fill(name) {
    const { path } = this.#disks[name];
    const file = join(path, 'ballast');
    const { bavail, bsize } = statfsSync(path);
    if (name === 'rabbitmq') {
      writeFileSync(file, Buffer.alloc(bavail * bsize - LEFT_BYTES));
      return () => rmSync(file);
    }
    const opened = openSync(file, 'w');
    try {
      for (let size = BLOCK.length; size >= 1; size = Math.floor(size / 2)) while (written(opened, size));
    } finally {
      closeSync(opened);
    }
    return () => rmSync(file);
  }

  unmount() {
    for (const { path, disk } of Object.values(this.#disks)) {
      disk.remove();
      rmSync(path, { recursive: true, force: true });
    }
  }
}

function written(file, size) {
  try {
    return writeSync(file, BLOCK, 0, size) === size;
  } catch (error) {
    if (error.code === 'ENOSPC') return false;
    throw error;
  }
}
