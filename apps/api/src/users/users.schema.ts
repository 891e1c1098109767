import type { IssuedReset, Person, PersonChange } from '@features/auth';
import { z } from 'zod';
import { listSchema } from '../http/page.schema';

export const changeUserBody = z
  .strictObject({
    name: z.string().trim().min(1).max(200).nullable().optional(),
    status: z.enum(['active', 'suspended']).optional().meta({ description: 'For the instance admin.' }),
    instance_admin: z.boolean().optional().meta({ description: 'For the instance admin.' }),
  })
  .refine((body) => Object.keys(body).length > 0, 'must change something')
  .meta({ id: 'ChangeUserRequest' });
export type ChangeUserBody = z.infer<typeof changeUserBody>;

export const personSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    name: z.string().nullable(),
    instance_admin: z.boolean(),
    status: z.enum(['active', 'suspended']),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Person' });
export const personListSchema = listSchema('PersonList', personSchema);

export const issuedResetSchema = z
  .object({
    reset_token: z.string().meta({ description: 'For the person; shown here once and never again.', example: 'pr-…' }),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'IssuedReset' });

export function personView({ id, email, name, instanceAdmin, status, createdAt }: Person): z.infer<typeof personSchema> {
  return { id, email, name, instance_admin: instanceAdmin, status, created_at: createdAt.toISOString() };
}

export function personChange({ name, status, instance_admin: instanceAdmin }: ChangeUserBody): PersonChange {
  return {
    ...(name === undefined ? {} : { name }),
    ...(status === undefined ? {} : { status }),
    ...(instanceAdmin === undefined ? {} : { instanceAdmin }),
  };
}

export function issuedResetView({ token, expiresAt }: IssuedReset): z.infer<typeof issuedResetSchema> {
  return { reset_token: token, expires_at: expiresAt.toISOString() };
}
