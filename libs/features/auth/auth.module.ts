import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { VectorsModule } from '@features/vectors';
import { AccessTokens } from './logins/access-tokens.service';
import { AccountsRepository } from './people/accounts.repository';
import { Accounts } from './people/accounts.service';
import { Admission } from './registration/admission.service';
import { ApiKeysRepository } from './keys/api-keys.repository';
import { ApiKeys } from './keys/api-keys.service';
import { Attempts } from './people/attempts.service';
import { Authenticator } from './principals/authenticator.service';
import { FirstAdmin } from './registration/first-admin.service';
import { LoginsRepository } from './logins/logins.repository';
import { Logins } from './logins/logins.service';
import { NewAccounts } from './registration/new-accounts.service';
import { Passwords } from './people/passwords.service';
import { PrincipalCache } from './principals/principal-cache.service';
import { PrincipalsRepository } from './principals/principals.repository';
import { Registration } from './registration/registration.service';
import { SetupTokenRepository } from './registration/setup-token.repository';
import { SetupToken } from './registration/setup-token.service';
import { Standing } from './principals/standing.service';

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
