// Preloaded into the product by tests (`--require`): a request with the header `x-test-kill` ends the process (kill -9) when its answer is about to
// leave: everything is committed, and the caller has heard nothing.
const { ServerResponse } = require('node:http');

const { writeHead } = ServerResponse.prototype;
ServerResponse.prototype.writeHead = function (...head) {
  if (this.req.headers['x-test-kill'] !== undefined) process.kill(process.pid, 'SIGKILL');
  return writeHead.apply(this, head);
};
