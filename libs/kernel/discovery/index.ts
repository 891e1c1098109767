export { FixedServers } from './fixed-servers';
export { ServerList } from './server-list';
