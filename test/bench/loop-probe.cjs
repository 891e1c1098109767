// Preloaded into the measured server: on SIGUSR2 prints the event loop's delay since the last signal, in milliseconds, and starts anew.
const { monitorEventLoopDelay } = require('node:perf_hooks');

const histogram = monitorEventLoopDelay({ resolution: 1 });
histogram.enable();
process.on('SIGUSR2', () => {
  const milliseconds = (nanoseconds) => Math.round(nanoseconds / 1e4) / 100;
  console.log(`LOOP ${JSON.stringify({ p99: milliseconds(histogram.percentile(99)), max: milliseconds(histogram.max) })}`);
  histogram.reset();
});
