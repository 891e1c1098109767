import { consulFault, leaderOf } from './consul.error';

const refused = (statusCode: number): Error => Object.assign(new Error('with x-consul-token: secret'), { statusCode, response: {} });

describe('what the driver of Consul throws', () => {
  it.each([
    [403, 'forbidden', 'CONSUL_TOKEN'],
    [404, 'not_found', 'does not know'],
    [400, 'internal', '400'],
    [500, 'unavailable', '500'],
    [429, 'internal', '429'],
  ])('a status of %s is %s', (status, code, words) => {
    expect(consulFault(refused(status))).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('a connection that fails is an outage with a time to come back', () => {
    const fault = consulFault(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    expect(fault).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2, message: 'Consul does not answer (CONSUL_URL).' });
  });

  it('keeps nothing of the request', () => {
    expect(consulFault(refused(403)).cause).not.toHaveProperty('response');
  });
});

it.each([
  ['', 'has no leader'],
  [{ hello: 'world' }, 'CONSUL_URL: what answers there is no Consul agent.'],
])('%j is no leader', (answer, words) => {
  expect(() => leaderOf(answer)).toThrow(words);
});
