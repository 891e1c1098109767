// Loaded into a server process before its own code (node --require): from here on it has the bugs of ./seeded-bugs.cjs.
require('./seeded-bugs.cjs').plant();
