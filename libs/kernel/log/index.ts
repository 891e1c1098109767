export { AppLog } from './app-log';
export { sourceStack } from './source-stack';
