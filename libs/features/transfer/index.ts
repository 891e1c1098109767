export { Export } from './export.service';
export { Import } from './import.service';
export { type Manifest } from './manifest.schema';
export { type TransferOptions } from './transfer-options';
