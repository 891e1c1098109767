import type { Account, SignedIn } from '@features/auth';
import { ROLES, SCOPES, type Scope } from '@kernel/identity';
import { z } from 'zod';
import { apiKeySchema } from './api-keys.schema';

const email = z.string().min(3).max(320).meta({ example: 'ada@example.org' });
const refreshToken = z.string().min(1).max(512);

export const registerBody = z
  .strictObject({
    email,
    password: z.string().min(12).max(1024).meta({ example: 'correct horse battery staple' }),
    name: z.string().trim().min(1).max(200).optional(),
    invite_token: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: 'Of an invitation for this e-mail; needed where AUTH_REGISTRATION is `invite`.' }),
    setup_token: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: 'Needed by the first user of a server that is not reached on loopback.' }),
  })
  .meta({ id: 'RegisterRequest' });
export type RegisterBody = z.infer<typeof registerBody>;

export const loginBody = z.strictObject({ email, password: z.string().min(1).max(1024) }).meta({ id: 'LoginRequest' });
export type LoginBody = z.infer<typeof loginBody>;

export const refreshBody = z.strictObject({ refresh_token: refreshToken }).meta({ id: 'RefreshRequest' });
export type RefreshBody = z.infer<typeof refreshBody>;

export const switchBody = z.strictObject({ workspace_id: z.uuid().toLowerCase() }).meta({ id: 'SwitchRequest' });
export type SwitchBody = z.infer<typeof switchBody>;

const newPassword = z.string().min(12).max(1024).meta({ example: 'correct horse battery staple' });

export const passwordBody = z
  .strictObject({ current_password: z.string().min(1).max(1024), new_password: newPassword })
  .meta({ id: 'PasswordRequest' });
export type PasswordBody = z.infer<typeof passwordBody>;

const handedToken = z.string().min(1).max(512).optional();

export const acceptBody = z
  .strictObject({
    invite_token: handedToken.meta({ description: 'Of an invitation; or reset_token, never both.' }),
    reset_token: handedToken.meta({ description: 'Of a password reset.' }),
    password: newPassword.meta({ description: 'The new one; who has an account already sends the one it has.' }),
    name: z.string().trim().min(1).max(200).optional().meta({ description: 'Of somebody who gets an account by the invitation.' }),
  })
  .refine(({ invite_token: invite, reset_token: reset }) => (invite === undefined) !== (reset === undefined), {
    path: ['invite_token'],
    message: 'exactly one of invite_token and reset_token is needed',
  })
  .meta({ id: 'AcceptRequest' });
export type AcceptBody = z.infer<typeof acceptBody>;

const userSchema = z
  .object({ id: z.uuid(), email: z.string(), name: z.string().nullable(), instance_admin: z.boolean(), created_at: z.iso.datetime() })
  .meta({ id: 'User' });
const workspaceSchema = z
  .object({ id: z.uuid(), name: z.string(), role: z.enum(ROLES).meta({ description: 'Your role in it.' }) })
  .meta({ id: 'OwnWorkspace' });

export const signedInSchema = z
  .object({
    user: userSchema,
    workspace: workspaceSchema,
    access_token: z.string(),
    refresh_token: z.string().meta({ description: 'Good for one refresh, within 30 days.' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int().meta({ description: 'Seconds that the access token is good for.' }),
  })
  .meta({ id: 'SignedIn' });

export const meSchema = z
  .object({
    user: userSchema,
    workspace: workspaceSchema,
    role: z.enum(ROLES),
    scopes: z.array(z.enum(SCOPES)).meta({ description: 'What this token or key may do.' }),
    key: apiKeySchema.optional().meta({ description: 'The API key, when the request came with one.' }),
  })
  .meta({ id: 'Me' });

export function accountView({ user, workspace }: Account) {
  return {
    user: { id: user.id, email: user.email, name: user.name, instance_admin: user.instanceAdmin, created_at: user.createdAt.toISOString() },
    workspace: { id: workspace.id, name: workspace.name, role: workspace.role },
  };
}

export function signedInView(signedIn: SignedIn): z.infer<typeof signedInSchema> {
  const { accessToken, refreshToken: refresh, expiresIn } = signedIn.tokens;
  return { ...accountView(signedIn), access_token: accessToken, refresh_token: refresh, token_type: 'Bearer', expires_in: expiresIn };
}

/** In the order of the closed list. */
export function scopesView(scopes: ReadonlySet<Scope>): Scope[] {
  return SCOPES.filter((scope) => scopes.has(scope));
}
