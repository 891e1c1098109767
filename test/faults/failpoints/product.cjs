// Loaded into a process of the product before its own code (node --require): files that bear a point are compiled from the sources with it, the others are
// those of the build. FAILPOINTS names the socket by which the harness says which points stop, and hears which were reached.
const { appendFileSync, readFileSync } = require('node:fs');
const { registerHooks } = require('node:module');
const { connect } = require('node:net');
const { join } = require('node:path');
const { isMainThread } = require('node:worker_threads');
const { pathToFileURL } = require('node:url');
const { setTimeout: delay } = require('node:timers/promises');
const { transformSync } = require('@swc/core');
const { FILES, withPoints } = require('./places.cjs');

const ROOT = join(__dirname, '..', '..', '..');
const { $schema: _schema, exclude: _exclude, ...swc } = JSON.parse(readFileSync(join(ROOT, '.swcrc'), 'utf8'));

/** Points that stop: { mode: kill | pause | throw | delay, detail?, skip?, milliseconds? } by name, each once. */
const armed = new Map();
/** Flows that stand at a point, by their number. */
const standing = new Map();
let hits = 0;
let socket;

// Threads inherit the flag; there is no point in what they load.
if (isMainThread) begin();

function begin() {
  // All at the start: a place that is gone fails before the first job.
  const compiled = new Map(
    FILES.map((file) => {
      const path = join(ROOT, file);
      const options = { ...swc, swcrc: false, configFile: false, sourceMaps: 'inline', filename: path, jsc: { ...swc.jsc, baseUrl: ROOT } };
      const { code } = transformSync(withPoints(file, readFileSync(path, 'utf8')), options);
      return [pathToFileURL(join(ROOT, 'dist', file.replace(/\.ts$/, '.js'))).href, code];
    }),
  );
  registerHooks({
    load(url, context, next) {
      const source = compiled.get(url);
      return source === undefined ? next(url, context) : { format: 'commonjs', source, shortCircuit: true };
    },
  });

  socket = connect(process.env.FAILPOINTS);
  socket.unref();
  socket.on('error', letGo);
  socket.on('close', letGo);
  say({ hello: process.env.FAILPOINTS_NAME, pid: process.pid });
  let rest = '';
  socket.on('data', (bytes) => {
    const lines = (rest + bytes).split('\n');
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  });
  globalThis.failpoint = failpoint;
}

function say(message) {
  socket.write(`${JSON.stringify(message)}\n`);
}

function hear({ arm, disarm, go }) {
  if (arm !== undefined) armed.set(arm.point, arm);
  if (disarm) armed.clear();
  if (arm !== undefined || disarm) say({ heard: arm?.point ?? 'disarm' });
  standing.get(go)?.();
  standing.delete(go);
}

/** Nobody will say `go` any more. */
function letGo() {
  for (const go of standing.values()) go();
  standing.clear();
  armed.clear();
}

async function failpoint(point, detail) {
  const arm = armed.get(point);
  if (arm === undefined || (arm.detail !== undefined && arm.detail !== detail)) return;
  if (arm.skip > 0) {
    arm.skip -= 1;
    return;
  }
  armed.delete(point);
  appendFileSync(process.env.FAILPOINTS_LOG, `${JSON.stringify({ point, mode: arm.mode, name: process.env.FAILPOINTS_NAME, detail })}\n`);
  if (arm.mode === 'kill') process.kill(process.pid, 'SIGKILL');
  const hit = `${process.pid}:${(hits += 1)}`;
  if (arm.mode === 'throw') {
    say({ hit, point });
    throw new Error(`failpoint ${point}`);
  }
  const gone = new Promise((go) => standing.set(hit, go));
  say({ hit, point });
  await (arm.mode === 'delay' ? delay(arm.milliseconds) : gone);
}

/** What has begun goes on; its outcome is known only after the point. */
failpoint.during = async (point, promise, detail) => {
  promise.catch(() => undefined);
  await failpoint(point, detail);
  return promise;
};
