export { ConsulClient } from './consul.client';
export { ConsulHealth } from './consul.health';
export { ConsulModule } from './consul.module';
export { ConsulRegistration, type Registered } from './consul.registration';
export { ConsulServers } from './consul.servers';
