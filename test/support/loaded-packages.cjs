// Preloaded into a process of the product: at SIGUSR2 it says which packages it has loaded so far.
process.on('SIGUSR2', () => {
  const names = Object.keys(require.cache).map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  process.stdout.write(`loaded: ${[...new Set(names)].filter(Boolean).sort().join(' ')}.\n`);
});
