import type { Role } from '@kernel/identity';

/** A person. */
export interface User {
  id: string;
  /** Normalised: trimmed, NFC, lower case. */
  email: string;
  name: string | null;
  instanceAdmin: boolean;
  createdAt: Date;
}

/** A person in one workspace. */
export interface Account {
  user: User;
  workspace: { id: string; name: string; role: Role };
}

export interface Tokens {
  accessToken: string;
  /** Seconds that the access token is good for. */
  expiresIn: number;
  refreshToken: string;
}

export interface SignedIn extends Account {
  tokens: Tokens;
}

/** A person as an instance admin sees them. */
export interface Person extends User {
  status: 'active' | 'suspended';
  /** Counts their changes. */
  version: number;
}
