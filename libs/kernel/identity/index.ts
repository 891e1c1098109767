export { ROLES, SCOPES, roleAtLeast, type Principal, type Role, type Scope } from './principal';
