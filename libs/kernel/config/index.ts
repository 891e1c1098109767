export { AppConfig } from './app-config';
export { parseConfig } from './parse-config';
