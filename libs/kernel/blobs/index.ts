export { BLOB_KINDS, assertBlobKey, assertBlobPrefix } from './blob-key';
export { BlobMeter } from './blob-meter';
export { Blobs, type StoredBlob } from './blobs';
