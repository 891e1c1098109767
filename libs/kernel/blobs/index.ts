export { Blobs, type StoredBlob } from './blobs';
