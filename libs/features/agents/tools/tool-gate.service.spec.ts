import { AppError } from '@kernel/errors';
import type { Standing } from '@features/standing';
import type { Collections } from '@features/vectors';
import type { AgentSnapshot } from '../agent.entity';
import type { ToolReach } from './agent-tool';
import type { ToolBox } from './tool-box.service';
import { ToolGate } from './tool-gate.service';

const account = { workspaceId: 'w', userId: 'u', apiKeyId: null, jobId: 'j' };
const agent = { tools: ['work'], collections: ['mine', 'gone'] } as unknown as AgentSnapshot;

/** The gate before one tool, `work`, that does what the test says. */
function gate(work: (given: unknown, reach: ToolReach) => Promise<unknown>, allowed = true) {
  const standing = {
    assertMay: async () => {
      if (!allowed) throw new AppError('forbidden', 'No more.');
    },
  } as unknown as Standing;
  const collections = {
    resolve: async (_: string, [name]: string[]) => {
      if (name !== 'mine') throw AppError.notFound('The collection');
      return [{ id: 'c', name }];
    },
  } as unknown as Collections;
  const checked = { tool: { run: work }, fault: (given: unknown) => (typeof given === 'object' ? undefined : 'arguments must be object') };
  const box = { get: (name: string) => (['work', 'other'].includes(name) ? checked : undefined) } as unknown as ToolBox;
  const made = new ToolGate(standing, collections, box);
  Object.defineProperty(made, 'logger', { value: { error: jest.fn() } });
  return (given: Partial<Parameters<ToolGate['call']>[0]> = {}) =>
    made.call({ agent, name: 'work', arguments: '{"a":1}', account, signal: new AbortController().signal, ...given });
}

describe('ToolGate', () => {
  it('lets a granted tool reach the collections of the agent that are still there', async () => {
    const seen: unknown[] = [];
    const call = gate(async (given, { collections, workspaceId }) => seen.push(given, collections, workspaceId));
    expect(await call()).toEqual({ arguments: { a: 1 }, result: 3 });
    expect(seen).toEqual([{ a: 1 }, [{ id: 'c', name: 'mine' }], 'w']);
  });

  it.each([
    ['a tool that was not granted', { name: 'other' }, 'forbidden'],
    ['a tool that there is not', { name: 'rm' }, 'forbidden'],
    ['arguments that are no JSON', { arguments: '{"a":' }, 'invalid'],
    ['arguments of another form', { arguments: '5' }, 'invalid'],
  ])('does not run %s', async (_, given, code) => {
    const work = jest.fn(async () => 1);
    expect(await gate(work)(given)).toMatchObject({ error: { code } });
    expect(work).not.toHaveBeenCalled();
  });

  it('ends the run when its maker may not any more', async () => {
    const work = jest.fn(async () => 1);
    await expect(gate(work, false)()).rejects.toMatchObject({ code: 'forbidden' });
    expect(work).not.toHaveBeenCalled();
  });

  it('tells a failure of the tool, and nothing of an unexpected one', async () => {
    const fails = (error: Error) => gate(() => Promise.reject(error))();
    expect(await fails(new AppError('not_found', 'There is none.'))).toMatchObject({
      error: { code: 'not_found', message: 'There is none.' },
    });
    expect(await fails(new Error('password is hunter2'))).toEqual({
      arguments: { a: 1 },
      error: { code: 'internal', message: 'The tool failed.' },
    });
  });

  it('refuses a result that is too large', async () => {
    expect(await gate(async () => 'x'.repeat(30_000))()).toMatchObject({ error: { code: 'too_large' } });
  });

  it('does not wait for a tool that hangs when it is to stop', async () => {
    const controller = new AbortController();
    const call = gate(() => {
      setImmediate(() => controller.abort(new AppError('cancelled', 'The job was cancelled.')));
      return new Promise(() => undefined);
    });
    await expect(call({ signal: controller.signal })).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('does not begin with a tool once it is to stop', async () => {
    const controller = new AbortController();
    const work = jest.fn(async () => 1);
    const ended = gate(work)({ signal: controller.signal });
    controller.abort(new AppError('cancelled', 'The job was cancelled.'));
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
    expect(work).not.toHaveBeenCalled();
  });
});
