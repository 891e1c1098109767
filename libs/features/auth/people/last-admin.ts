import { AppError } from '@kernel/errors';

/** `admins` are the active ones before the change; `stays` says whether this person is one after it. Errors: `conflict`. */
export function assertAdminStays(admins: Set<string>, { id, stays }: { id: string; stays: boolean }): void {
  if (!stays && admins.has(id) && admins.size === 1)
    throw new AppError('conflict', 'This is the last active instance admin; make somebody else one first.');
}
