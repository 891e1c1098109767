export { AppConfig, type ProcessRole } from './app-config';
export { ConfigError } from './config-error';
export { oneNativeThread } from './native-threads';
export { parseConfig } from './parse-config';
export { productRoot } from './product-root';
export { releaseVersion } from './release-version';
