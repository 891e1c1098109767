import type { Role } from '@kernel/identity';

/** A workspace as one of its members sees it. */
export interface Workspace {
  id: string;
  name: string;
  /** Of the caller. */
  role: Role;
  /** Counts its changes. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** A person in a workspace. */
export interface Member {
  /** Of the person. */
  id: string;
  email: string;
  name: string | null;
  role: Role;
  /** Counts the changes of the membership. */
  version: number;
  joinedAt: Date;
}

/** A place in a workspace that waits for the person with this e-mail. */
export interface Invitation {
  id: string;
  email: string;
  role: Role;
  invitedBy: string;
  createdAt: Date;
  expiresAt: Date;
}
