export { Shutdown } from './shutdown.service';
export { faultOf } from './start-fault';
