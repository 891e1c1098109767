// The compiler of the tests, with one guard switched off: ATTACK_CONTROL names it, ./index.cjs says how.
const { createHash } = require('node:crypto');
const { createTransformer } = require('@swc/jest').default ?? require('@swc/jest');
const { isGuarded, mutantNamed, switchedOff } = require('./index.cjs');

module.exports = {
  createTransformer(options) {
    const swc = createTransformer(options);
    const mutant = mutantNamed(process.env.ATTACK_CONTROL);
    return {
      ...swc,
      // Only the guard's own file is another one without it: what was compiled of all others serves every mutant.
      getCacheKey: (source, path, context) =>
        createHash('sha256')
          .update(JSON.stringify([swc.getCacheKey(source, path, context), isGuarded(mutant, path) ? mutant : null]))
          .digest('hex'),
      process: (source, path, context) => swc.process(switchedOff(mutant, source, path), path, context),
    };
  },
};
