const WIDTH = 24;
const REDRAW_MS = 100;
const STEP_PERCENT = 10;
const MEGABYTE = 1_000_000;

/**
 * Shows how far a transfer of `total` bytes is: a bar that redraws itself on a terminal, a plain line every ten percent elsewhere.
 * `update` takes the bytes there so far; `start` says how many were there before, so that the rate counts only what came now.
 */
export function createProgress(label, total, { out = process.stderr, start = 0 } = {}) {
  const began = Date.now();
  let drawn = 0;
  let step = -1;
  const line = (bytes) => {
    const percent = Math.min(100, Math.floor((bytes / total) * 100));
    const rate = (bytes - start) / MEGABYTE / Math.max(0.001, (Date.now() - began) / 1000);
    return { percent, figures: `${megabytes(bytes)} of ${megabytes(total)} MB, ${percent} %, ${rate.toFixed(1)} MB/s` };
  };
  const draw = (bytes) => {
    const { percent, figures } = line(bytes);
    const full = Math.round((percent / 100) * WIDTH);
    out.write(`\r\x1b[K${label} [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${figures}`);
  };
  const print = (bytes) => {
    const { percent, figures } = line(bytes);
    if (Math.floor(percent / STEP_PERCENT) === step) return;
    step = Math.floor(percent / STEP_PERCENT);
    out.write(`${label}: ${figures}\n`);
  };
  return {
    update(bytes) {
      if (!out.isTTY) return print(bytes);
      if (Date.now() - drawn < REDRAW_MS && bytes < total) return;
      drawn = Date.now();
      draw(bytes);
    },
    /** Leaves the line, so that what is printed next starts on a fresh one. */
    end() {
      if (out.isTTY && drawn > 0) out.write('\n');
    },
  };
}

function megabytes(bytes) {
  return (bytes / MEGABYTE).toFixed(1);
}
