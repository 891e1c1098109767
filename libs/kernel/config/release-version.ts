import { productManifest } from './product-root';

/** The version in the product's package.json. */
export function releaseVersion(): string {
  return productManifest().version;
}
