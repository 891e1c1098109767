export { DataDirectory } from './data-directory';
export { DirectoryError } from './directory-error';
