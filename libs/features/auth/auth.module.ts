import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { AuditModule } from '@features/audit';
import { VectorsModule } from '@features/vectors';
import { Acceptance } from './invitations/acceptance.service';
import { Guests } from './invitations/guests.service';
import { InvitationAcceptance } from './invitations/invitation-acceptance.service';
import { InvitationsRepository } from './invitations/invitations.repository';
import { Invitations } from './invitations/invitations.service';
import { Joining } from './invitations/joining.service';
import { ApiKeysRepository } from './keys/api-keys.repository';
import { ApiKeys } from './keys/api-keys.service';
import { AccessTokens } from './logins/access-tokens.service';
import { Entrance } from './logins/entrance.service';
import { LoginEndings } from './logins/login-endings.service';
import { LoginsRepository } from './logins/logins.repository';
import { Logins } from './logins/logins.service';
import { Members } from './members/members.service';
import { MembershipsRepository } from './members/memberships.repository';
import { NewWorkspaces } from './members/new-workspaces.service';
import { WorkspaceAuthority } from './members/workspace-authority.service';
import { WorkspaceClosing } from './members/workspace-closing.service';
import { WorkspacesRepository } from './members/workspaces.repository';
import { Workspaces } from './members/workspaces.service';
import { AccountsRepository } from './people/accounts.repository';
import { Accounts } from './people/accounts.service';
import { Attempts } from './people/attempts.service';
import { Credentials } from './people/credentials.service';
import { Passwords } from './people/passwords.service';
import { UserDeletion } from './people/user-deletion.service';
import { UsersRepository } from './people/users.repository';
import { Users } from './people/users.service';
import { Authenticator } from './principals/authenticator.service';
import { PrincipalCache } from './principals/principal-cache.service';
import { PrincipalsRepository } from './principals/principals.repository';
import { Admission } from './registration/admission.service';
import { FirstAdmin } from './registration/first-admin.service';
import { NewAccounts } from './registration/new-accounts.service';
import { NewPeople } from './registration/new-people.service';
import { Registration } from './registration/registration.service';
import { SetupTokenRepository } from './registration/setup-token.repository';
import { SetupToken } from './registration/setup-token.service';
import { NewPasswords } from './resets/new-passwords.service';
import { PasswordChange } from './resets/password-change.service';
import { PasswordReset } from './resets/password-reset.service';
import { ResetTokensModule } from './resets/reset-tokens.module';

/** Identity: people, workspaces and their members, logins, API keys, and who a token stands for. */
@Module({
  imports: [JwtModule.register({}), AuditModule, ResetTokensModule, VectorsModule],
  providers: [
    Acceptance,
    AccessTokens,
    Accounts,
    AccountsRepository,
    Admission,
    ApiKeys,
    ApiKeysRepository,
    Attempts,
    Authenticator,
    Credentials,
    Entrance,
    FirstAdmin,
    Guests,
    InvitationAcceptance,
    Invitations,
    InvitationsRepository,
    Joining,
    LoginEndings,
    Logins,
    LoginsRepository,
    Members,
    MembershipsRepository,
    NewAccounts,
    NewPasswords,
    NewPeople,
    NewWorkspaces,
    PasswordChange,
    PasswordReset,
    Passwords,
    PrincipalCache,
    PrincipalsRepository,
    Registration,
    SetupToken,
    SetupTokenRepository,
    UserDeletion,
    Users,
    UsersRepository,
    WorkspaceAuthority,
    WorkspaceClosing,
    Workspaces,
    WorkspacesRepository,
  ],
  exports: [
    Acceptance,
    Accounts,
    ApiKeys,
    Authenticator,
    FirstAdmin,
    Invitations,
    Members,
    PasswordChange,
    Registration,
    ResetTokensModule,
    UserDeletion,
    Users,
    WorkspaceClosing,
    Workspaces,
  ],
})
export class AuthModule {}
