import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';
import { distinct, productionPackages, readLockfile, resolved } from './lockfile.mjs';

/**
 * The bill of materials of what is installed for running, as CycloneDX 1.6 (JSON): every package of the lockfile that is not for
 * development, of all platforms, with its hash, licence and what it asks for. Made of the lockfile alone and without a time, a
 * number or a host, so that the same lockfile gives the same bytes anywhere.
 */
export function sbom(lockfile = readLockfile()) {
  const production = productionPackages(lockfile);
  const root = { name: lockfile.name, version: lockfile.version };
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': purl(root), ...root, licenses: licences('Apache-2.0'), purl: purl(root) } },
    components: distinct(production).map(component),
    dependencies: dependencies(lockfile, production, root),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function component({ name, version, integrity, license, optional }) {
  const [scope, bare] = name.startsWith('@') ? name.split('/') : [undefined, name];
  return {
    type: 'library',
    'bom-ref': purl({ name, version }),
    ...(scope === undefined ? {} : { group: scope }),
    name: bare,
    version,
    scope: optional ? 'optional' : 'required',
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') }],
    licenses: licences(license),
    purl: purl({ name, version }),
  };
}

/** What each asks for, as the package it gets; copies of one version at several places are one. */
function dependencies(lockfile, production, root) {
  const asked = new Map();
  const places = [{ path: '', ...root, entry: lockfile.packages[''] }, ...production];
  for (const { path, name, version, entry } of places) {
    const ref = purl({ name, version });
    const found = asked.get(ref) ?? new Set();
    const wanted = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies, ...entry.peerDependencies });
    for (const each of wanted) {
      const at = resolved(lockfile, path, each);
      const got = lockfile.packages[at];
      if (got !== undefined && got.dev !== true) found.add(purl({ name: got.name ?? each, version: got.version }));
    }
    asked.set(ref, found);
  }
  return [...asked.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([ref, on]) => ({ ref, dependsOn: [...on].sort() }));
}

/** An identifier of SPDX is named as such; several are an expression; the one old word that SPDX does not know is a plain name. */
function licences(license) {
  if (/\s/.test(license)) return [{ expression: license.replace(/^\((.*)\)$/, '$1') }];
  return [{ license: license === 'BSD' ? { name: license } : { id: license } }];
}

/** The package URL: the @ of a scope is written as %40. */
export function purl({ name, version }) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

export function readSbom() {
  return JSON.parse(readFileSync(join(ROOT, 'deploy', 'sbom.cdx.json'), 'utf8'));
}
