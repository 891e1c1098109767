// Guards of the HTTP edge.
module.exports = [
  {
    guard: 'authentication',
    file: 'apps/api/src/http/request.guard.ts',
    find: '!marks.access.public && !this.isOpen(request, marks)',
    replace: '!marks.access.public && request.headers.authorization !== undefined',
    spec: 'matrix/routes',
    cases: ['I01'],
  },
];
