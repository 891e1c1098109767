// Preloaded into a process that is to hear no word of its database: what stops its jobs then is its own asking.
const { Client } = require('pg');

const { query } = Client.prototype;
Client.prototype.query = function (...given) {
  return typeof given[0] === 'string' && given[0].startsWith('LISTEN ') ? Promise.resolve({ rows: [] }) : query.apply(this, given);
};
