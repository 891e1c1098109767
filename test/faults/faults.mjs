// npm run faults -- --cells smoke|all …: the fault matrix (cells.mjs). npm run faults -- [--rounds N …]: kills at random moments of each kind of work (kill.mjs).
import { registerHooks } from 'node:module';

// What the tests and these scripts share is TypeScript without anything that only a compiler could make: Node strips the types, and need not guess the format.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return resolved.url.endsWith('.ts') ? { ...resolved, format: 'module-typescript' } : resolved;
  },
});
await import(process.argv.some((arg) => arg.startsWith('--cells')) ? './cells.mjs' : './kill.mjs');
