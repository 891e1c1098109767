import { FirstSchema1764000000000 } from './1764000000000-first-schema';

/** Every migration, oldest first. */
export const MIGRATIONS = [FirstSchema1764000000000];
