import { AppError } from '@kernel/errors';
import { rabbitFault, versionFault } from './rabbitmq.fault';

describe('A fault of RabbitMQ', () => {
  it.each([
    [
      'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused"',
      /user or password: check RABBITMQ_URL/,
    ],
    ['Expected ConnectionOpenOk; got <ConnectionClose channel:0>', /virtual host, or this user may not use it: check RABBITMQ_URL/],
    [
      'Operation failed: QueueDeclare; 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - access to queue"',
      /does not let this user use or declare our queues/,
    ],
    [
      'Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg \'x-delivery-limit\'"',
      /with other arguments/,
    ],
    ['Frame size 1345270062 exceeds maxFrameSize 67108864', /does not speak AMQP: check RABBITMQ_URL/],
    ['getaddrinfo ENOTFOUND mq.example', /cannot be found: check RABBITMQ_URL/],
    ['connect ECONNREFUSED 127.0.0.1:5672', /^RabbitMQ does not answer\.$/],
    ['Heartbeat timeout', /^RabbitMQ does not answer\.$/],
  ])('%s', (words, sentence) => {
    const fault = rabbitFault(new Error(words));
    expect(fault).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
    expect(fault.message).toMatch(sentence);
  });

  it('that is ours already stays as it is', () => {
    const ours = new AppError('timeout', 'RabbitMQ did not answer within 1 s.');
    expect(rabbitFault(ours)).toBe(ours);
  });
});

it.each([
  ['3.10.8', undefined],
  ['4.1.0', undefined],
  ['3.9.13', /3\.9\.13 is too old: RABBITMQ_URL must name a server of 3\.10 or newer/],
  ['2.8.7', /too old/],
  [undefined, undefined],
])('a server of version %s', (version, sentence) => {
  const fault = versionFault(version);
  if (sentence === undefined) expect(fault).toBeUndefined();
  else expect(fault?.message).toMatch(sentence);
});
