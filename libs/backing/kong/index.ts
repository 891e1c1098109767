export { KongClient } from './kong.client';
export { KongHealth } from './kong.health';
export { KongModule } from './kong.module';
