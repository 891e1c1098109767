export { EgressClient, type FetchedContent, type FetchLimits } from './egress.client';
export { EgressModule } from './egress.module';
export { HostResolver } from './host-resolver.service';
export { SocketConnector } from './socket-connector.service';
