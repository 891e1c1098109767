import { join } from 'node:path';

// Nest 12 is ESM and is loaded by require(esm): run with `node --experimental-vm-modules` on Node >= 24.9 (scripts/test.mjs does).
const swcOptions = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'commonjs', ignoreDynamic: true },
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true, dynamicImport: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
};
/** With ATTACK_CONTROL=<guard> the sources are compiled with that guard switched off: its tests must then be red. */
const compiler =
  process.env.ATTACK_CONTROL === undefined ? '@swc/jest' : join(import.meta.dirname, 'test', 'attacks', 'mutants', 'compiler.cjs');
const project = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  transform: { '^.+\\.ts$': [compiler, swcOptions] },
  moduleNameMapper: {
    '^@(kernel|backing|features)/(.*)$': '<rootDir>/libs/$1/$2/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.data', '<rootDir>/.tools'],
};
export default {
  maxWorkers: 2,
  testTimeout: 60_000,
  projects: [
    {
      ...project,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs}/**/*.spec.ts', '<rootDir>/test/{scripts,structure}/**/*.spec.ts'],
    },
    { ...project, displayName: 'medium', testMatch: ['<rootDir>/test/medium/**/*.spec.ts'] },
    { ...project, displayName: 'attacks', testMatch: ['<rootDir>/test/attacks/**/*.spec.ts'] },
    { ...project, displayName: 'services', testMatch: ['<rootDir>/test/services/**/*.spec.ts'] },
    { ...project, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'] },
  ],
};
