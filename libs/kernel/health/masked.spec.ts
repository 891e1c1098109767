import { masked } from './masked';

it.each([
  ['cannot reach postgres://app:s3cret@db:5432/app now', 'cannot reach postgres://***@db:5432/app now'],
  ['amqp+tls://:s3cret@broker and redis://s3cret@cache', 'amqp+tls://***@broker and redis://***@cache'],
  ['GET http://kv/v1?token=s3cret&dc=a', 'GET http://kv/v1?token=***&dc=a'],
  ['{"password": "s3cret", "user": "app"}', '{"password": "***", "user": "app"}'],
  ['connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED 127.0.0.1:5432'],
])('%s', (said, shown) => {
  expect(masked(said)).toBe(shown);
});
