export type { Account, SignedIn, Tokens, User } from './account';
export { Accounts } from './accounts.service';
export type { RegistrationOrigin } from './admission.service';
export type { ApiKey } from './api-keys.repository';
export { ApiKeys, type NewApiKey } from './api-keys.service';
export { AuthModule } from './auth.module';
export { Authenticator } from './authenticator.service';
export { FirstAdmin, type FirstStart } from './first-admin.service';
export { Registration, type RegistrationRequest } from './registration.service';
