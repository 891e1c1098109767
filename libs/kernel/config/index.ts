export { AppConfig, type ProcessRole } from './app-config';
export { ConfigError } from './config-error';
export { parseConfig } from './parse-config';
export { releaseVersion } from './release-version';
