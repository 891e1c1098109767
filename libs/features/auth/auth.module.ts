import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { VectorsModule } from '@features/vectors';
import { AccessTokens } from './access-tokens.service';
import { AccountsRepository } from './accounts.repository';
import { Accounts } from './accounts.service';
import { Admission } from './admission.service';
import { ApiKeysRepository } from './api-keys.repository';
import { ApiKeys } from './api-keys.service';
import { Attempts } from './attempts.service';
import { Authenticator } from './authenticator.service';
import { FirstAdmin } from './first-admin.service';
import { LoginsRepository } from './logins.repository';
import { Logins } from './logins.service';
import { NewAccounts } from './new-accounts.service';
import { Passwords } from './passwords.service';
import { PrincipalCache } from './principal-cache.service';
import { PrincipalsRepository } from './principals.repository';
import { Registration } from './registration.service';
import { SetupTokenRepository } from './setup-token.repository';
import { SetupToken } from './setup-token.service';
import { Standing } from './standing.service';

/** Identity: accounts, logins, API keys, and who a token stands for. */
@Module({
  imports: [JwtModule.register({}), VectorsModule],
  providers: [
    AccessTokens,
    Accounts,
    AccountsRepository,
    Admission,
    ApiKeys,
    ApiKeysRepository,
    Attempts,
    Authenticator,
    FirstAdmin,
    Logins,
    LoginsRepository,
    NewAccounts,
    Passwords,
    PrincipalCache,
    PrincipalsRepository,
    Registration,
    SetupToken,
    SetupTokenRepository,
    Standing,
  ],
  exports: [Accounts, ApiKeys, Authenticator, FirstAdmin, Registration, Standing],
})
export class AuthModule {}
