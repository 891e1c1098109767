export { AppLog } from './app-log';
