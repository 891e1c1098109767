import { z } from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What an archive holds; written last, so that an archive without it is none. */
export const manifestSchema = z.strictObject({
  format: z.literal('sutazai-archive'),
  version: z.literal(1),
  release: z.string(),
  created_at: z.iso.datetime(),
  /** The migrations of the database it came from: its schema. */
  migrations: z.array(z.string()),
  /** By table: the columns of a row, and over all lines (with their ends) the checksum. */
  tables: z.record(z.string(), z.strictObject({ columns: z.array(z.string()), rows: z.int().min(0), sha256 })),
  sequences: z.record(
    z.string(),
    z
      .string()
      .regex(/^-?\d+$/)
      .nullable(),
  ),
  /** Of the list of blobs, whose lines hold key, bytes and SHA-256 of each. */
  blobs: z.strictObject({ count: z.int().min(0), bytes: z.int().min(0), sha256 }),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** A line of the list of blobs: key, bytes, SHA-256. */
export const blobLineSchema = z.tuple([z.string(), z.int().min(0), sha256]);

export interface ArchivedBlob {
  key: string;
  bytes: number;
  /** lower-case hex */
  sha256: string;
}
