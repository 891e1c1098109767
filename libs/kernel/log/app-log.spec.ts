import { AppLog } from './app-log';

function logged(work: (log: AppLog) => void, level: ConstructorParameters<typeof AppLog>[0] = 'trace'): Array<Record<string, unknown>> {
  const lines: string[] = [];
  work(new AppLog(level, { write: (line: string) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('AppLog', () => {
  it('writes one JSON line with level, time and context', () => {
    expect(logged((log) => log.warn('late', 'Jobs'))).toEqual([
      { level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), context: 'Jobs', msg: 'late' },
    ]);
  });

  it('drops every field of an object that is not allowed by name', () => {
    const canary = 'sk-canary-7f3a';
    const lines = logged((log) =>
      log.log({
        msg: 'request',
        method: 'GET',
        route: '/x',
        status: 200,
        ms: 3,
        authorization: canary,
        headers: { authorization: canary },
        body: { password: canary },
        query: canary,
        url: `/x?token=${canary}`,
        code: { nested: canary },
      }),
    );
    expect(lines).toEqual([{ level: 'info', time: expect.any(String), method: 'GET', route: '/x', status: 200, ms: 3, msg: 'request' }]);
  });

  it('puts the request id on every line inside the request, and on none outside', async () => {
    const ids: unknown[] = [];
    await new Promise<void>((resolve) => {
      const log = new AppLog('info', { write: (line: string) => void ids.push((JSON.parse(line) as { request_id?: string }).request_id) });
      log.within('r-1', () => {
        log.log('now');
        setImmediate(() => {
          log.error('later');
          resolve();
        });
      });
      log.log('outside');
    });
    expect(ids).toEqual(['r-1', undefined, 'r-1']);
  });

  it('keeps the stack of an error, given as an error or beside its words', () => {
    const error = new Error('broken');
    const lines = logged((log) => {
      log.error(error, 'Http');
      log.error('broken', 'Error: broken\n  at x', 'Http');
    });
    expect(lines).toEqual([
      { level: 'error', time: expect.any(String), context: 'Http', stack: error.stack, msg: 'broken' },
      { level: 'error', time: expect.any(String), context: 'Http', stack: 'Error: broken\n  at x', msg: 'broken' },
    ]);
  });

  it('holds the account of the framework back from level info', () => {
    expect(logged((log) => log.log('Mapped', 'RouterExplorer'), 'info')).toEqual([]);
    expect(logged((log) => log.log('Mapped', 'RouterExplorer'), 'debug')).toHaveLength(1);
  });
});
