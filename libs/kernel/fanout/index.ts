export { Fanout, type FanoutListener } from './fanout';
