import { beforeAbort } from './before-abort';

describe('beforeAbort', () => {
  const { signal: never } = new AbortController();

  it('is the work where nothing aborts', async () => {
    await expect(beforeAbort(Promise.resolve(1), never)).resolves.toBe(1);
    await expect(beforeAbort(Promise.reject(new Error('broke')), never)).rejects.toThrow('broke');
  });

  it('does not wait for work once its signal aborts, before or meanwhile', async () => {
    const endless = new Promise<never>(() => undefined);
    await expect(beforeAbort(endless, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    const controller = new AbortController();
    const waiting = beforeAbort(endless, controller.signal);
    controller.abort(new Error('meanwhile'));
    await expect(waiting).rejects.toThrow('meanwhile');
  });

  it('leaves nothing that fails later to the process', async () => {
    const { promise: work, reject: fail } = Promise.withResolvers<never>();
    await expect(beforeAbort(work, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    fail(new Error('too late'));
    await new Promise(setImmediate);
  });
});
