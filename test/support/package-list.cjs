// node --require this: writes the name of each package that the process loads, by require or import, in any of its threads, to $LOADED_PACKAGES.
const { appendFileSync } = require('node:fs');
const { registerHooks } = require('node:module');

const seen = new Set();

registerHooks({
  load(url, context, nextLoad) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (name !== undefined && !seen.has(name)) {
      seen.add(name);
      appendFileSync(process.env.LOADED_PACKAGES, `${name}\n`);
    }
    return nextLoad(url, context);
  },
});
