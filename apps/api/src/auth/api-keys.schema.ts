import type { ApiKey } from '@features/auth';
import type { BudgetState } from '@features/usage';
import { SCOPES } from '@kernel/identity';
import { z } from 'zod';
import { listSchema, pageQuery } from '../http/page.schema';

const limits = z.strictObject({
  requests_per_minute: z.int().min(1).max(10_000_000).optional(),
  tokens_per_day: z
    .int()
    .min(1)
    .max(1_000_000_000_000)
    .optional()
    .meta({ description: 'Tokens read and made by models for this key, from 00:00 to 24:00 UTC.' }),
});

export const createApiKeyBody = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
    expires_at: z.iso.datetime({ offset: true }).optional().meta({ description: 'Never, when left out.' }),
    owner: z.enum(['me', 'workspace']).optional().meta({
      description:
        'Whom the key acts for: you (when left out), or the workspace, which needs the role admin and stays bounded by your rights.',
    }),
    limits: limits.optional(),
  })
  .meta({ id: 'CreateApiKeyRequest' });
export type CreateApiKeyBody = z.infer<typeof createApiKeyBody>;

export const apiKeysQuery = pageQuery.extend({
  owner: z.enum(['me', 'workspace']).default('me').meta({ description: '`workspace`: the keys of the workspace, for its admins.' }),
});
export type ApiKeysQuery = z.infer<typeof apiKeysQuery>;

export const apiKeySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    owner: z.enum(['me', 'workspace']),
    made_by: z.uuid().meta({ description: 'The person whose rights bound the key.' }),
    secret_hint: z.string().meta({ description: 'The last four characters of the secret.' }),
    limits: z.object({ requests_per_minute: z.int().nullable(), tokens_per_day: z.int().nullable() }),
    tokens_today: z
      .object({ used: z.int(), reserved: z.int(), left: z.int() })
      .nullable()
      .meta({ description: 'Of keys with `tokens_per_day`; `reserved` is held by calls that run.' }),
    expires_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'ApiKey' });

export const createdApiKeySchema = apiKeySchema
  .extend({ secret: z.string().meta({ description: 'Shown here once and never again.', example: 'sk-…' }) })
  .meta({ id: 'CreatedApiKey' });

export const apiKeyListSchema = listSchema('ApiKeyList', apiKeySchema);

export function apiKeyView(key: ApiKey, budget: BudgetState | undefined): z.infer<typeof apiKeySchema> {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    owner: key.owner,
    made_by: key.madeBy,
    secret_hint: key.hint,
    limits: { requests_per_minute: key.requestsPerMinute, tokens_per_day: key.tokensPerDay },
    tokens_today: tokensToday(key, budget),
    expires_at: key.expiresAt?.toISOString() ?? null,
    created_at: key.createdAt.toISOString(),
  };
}

function tokensToday({ tokensPerDay }: ApiKey, budget: BudgetState | undefined): z.infer<typeof apiKeySchema>['tokens_today'] {
  if (tokensPerDay === null) return null;
  const { used, reserved } = budget ?? { used: 0, reserved: 0 };
  return { used, reserved, left: Math.max(0, tokensPerDay - used - reserved) };
}
