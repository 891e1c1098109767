import { EventEmitter } from 'node:events';
import type { Authenticator } from '@features/auth';
import { PrometheusMetrics } from '@backing/prometheus';
import { AppError } from '@kernel/errors';
import { type Principal, type Role, SCOPES } from '@kernel/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OpenAnswers } from './open-answers.service';

/** A response of which only the connection matters. */
class Raw extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const principal = (role: Role): Principal => ({
  kind: 'user',
  userId: 'u',
  workspaceId: 'w',
  role,
  instanceAdmin: false,
  scopes: new Set(SCOPES),
  sessionId: 's',
});

describe('OpenAnswers', () => {
  let answers: OpenAnswers;
  let renew: () => Promise<Principal>;
  let revoke: () => void = () => undefined;
  let asked = 0;

  beforeEach(() => {
    jest.useFakeTimers();
    asked = 0;
    renew = async () => principal('editor');
    const authenticator = {
      renew: () => {
        asked += 1;
        return renew();
      },
      onRevoked: (listener: () => void) => (revoke = listener),
    } as unknown as Authenticator;
    answers = new OpenAnswers(authenticator, new PrometheusMetrics());
    answers.onApplicationBootstrap();
  });
  afterEach(() => {
    answers.beforeApplicationShutdown();
    jest.useRealTimers();
  });

  function open(): { raw: Raw; request: FastifyRequest } {
    const raw = new Raw();
    const request = {
      principal: principal('editor'),
      headers: { authorization: 'Bearer x' },
      routeOptions: { config: { access: { public: false, scopes: ['chat'], role: 'editor' } } },
    } as unknown as FastifyRequest;
    answers.watch(request, { raw } as unknown as FastifyReply);
    return { raw, request };
  }
  const gone = (): Promise<never> => Promise.reject(new AppError('unauthenticated', 'It was revoked.'));
  const turn = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

  it('cuts at once what this process revokes, without waiting for its next look', async () => {
    const { raw } = open();
    renew = gone;
    await turn();
    expect(raw.destroyed).toBe(false);
    revoke();
    await turn();
    expect(raw.destroyed).toBe(true);
  });

  it('looks every second for what other processes revoke', async () => {
    const { raw } = open();
    await jest.advanceTimersByTimeAsync(3_000);
    expect([raw.destroyed, asked]).toEqual([false, 3]);
    renew = gone;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(raw.destroyed).toBe(true);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(asked).toBe(4);
  });

  it('cuts whose role does not suffice any more', async () => {
    const { raw } = open();
    renew = async () => principal('viewer');
    revoke();
    await turn();
    expect(raw.destroyed).toBe(true);
  });

  it('lets the request that revokes be answered, and no other', async () => {
    const [own, other] = [open(), open()];
    renew = gone;
    answers.within(own.request, () => revoke());
    await jest.advanceTimersByTimeAsync(2_000);
    expect([own.raw.destroyed, other.raw.destroyed]).toEqual([false, true]);
  });

  it('takes a database that does not answer for no revocation', async () => {
    const { raw } = open();
    renew = () => Promise.reject(new AppError('unavailable', 'No connection.'));
    await jest.advanceTimersByTimeAsync(2_000);
    expect([raw.destroyed, asked]).toEqual([false, 2]);
  });

  it('looks again when something is revoked during a look', async () => {
    const { raw } = open();
    let answer: (known: Principal) => void = () => undefined;
    renew = () => new Promise((resolve) => (answer = resolve));
    revoke();
    await turn();
    renew = gone;
    revoke();
    answer(principal('editor'));
    await turn();
    expect(raw.destroyed).toBe(true);
  });

  it('forgets an answer that has ended', async () => {
    open().raw.emit('close');
    await jest.advanceTimersByTimeAsync(2_000);
    expect(asked).toBe(0);
  });
});
