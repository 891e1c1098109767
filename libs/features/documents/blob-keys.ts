/** The bytes as they were uploaded. */
export const originalKey = (documentId: string, contentVersion: number): string => `documents/${documentId}/${contentVersion}`;
/** The extracted text, UTF-8. */
export const textKey = (documentId: string, version: number): string => `texts/${documentId}/${version}`;
