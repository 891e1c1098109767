import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { validate as isUuid } from 'uuid';
import { DataDirectory } from '@backing/data-directory';
import { AppConfig } from '@kernel/config';

const ALGORITHM = 'HS256';
/** RFC 9068's type of access tokens: no other token of ours is ever taken for one. */
const TYPE = 'at+jwt';
const ISSUER = 'sutazai';
const AUDIENCE = 'sutazai-api';
const LIFETIME_SECONDS = 900;
const LONGEST_TOKEN = 2_048;
/** How far the clock of another replica may be ahead of this one's. */
const SKEW_SECONDS = 60;

export interface AccessClaims {
  userId: string;
  /** The login that the token belongs to. */
  loginId: string;
  workspaceId: string;
}

interface SignedToken {
  header: Record<string, unknown>;
  payload: { sub?: unknown; sid?: unknown; wid?: unknown; exp?: unknown; iat?: unknown };
}

/** Signs and checks access tokens: JWT with HS256, issuer, audience, type and algorithm pinned, good for 15 minutes. */
@Injectable()
export class AccessTokens {
  private readonly secret: string;
  private readonly accepted: string[];

  constructor(
    private readonly jwt: JwtService,
    config: AppConfig,
    directory: DataDirectory,
  ) {
    this.secret = config.auth.jwtSecret ?? directory.secret('jwt');
    const previous = config.auth.jwtSecretPrevious;
    this.accepted = previous === undefined ? [this.secret] : [this.secret, previous];
  }

  issue(claims: AccessClaims): { token: string; expiresIn: number } {
    const token = this.jwt.sign(
      { sub: claims.userId, sid: claims.loginId, wid: claims.workspaceId },
      {
        secret: this.secret,
        header: { alg: ALGORITHM, typ: TYPE },
        algorithm: ALGORITHM,
        issuer: ISSUER,
        audience: AUDIENCE,
        expiresIn: LIFETIME_SECONDS,
      },
    );
    return { token, expiresIn: LIFETIME_SECONDS };
  }

  /** The claims of a token that we signed and that has not expired; otherwise undefined. Whether its login still holds is for the caller to ask. */
  verify(token: string): AccessClaims | undefined {
    if (token.length > LONGEST_TOKEN) return undefined;
    for (const secret of this.accepted) {
      const signed = this.opened(token, secret);
      if (signed !== undefined) return claimsOf(signed);
    }
    return undefined;
  }

  private opened(token: string, secret: string): SignedToken | undefined {
    try {
      // `maxAge` also demands the time of issue, so that a token without an end is refused.
      return this.jwt.verify<SignedToken & object>(token, {
        secret,
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        maxAge: LIFETIME_SECONDS,
        complete: true,
      });
    } catch {
      return undefined;
    }
  }
}

/** A header with anything beside `alg` and `typ` (`crit`, `kid`, `jwk`, `x5u` …) is not ours. */
function claimsOf({ header, payload }: SignedToken): AccessClaims | undefined {
  if (header.alg !== ALGORITHM || header.typ !== TYPE || Object.keys(header).length !== 2) return undefined;
  const { sub, sid, wid, exp, iat } = payload;
  if (!isUuid(sub) || !isUuid(sid) || !isUuid(wid) || typeof exp !== 'number') return undefined;
  if (typeof iat !== 'number' || iat > Date.now() / 1000 + SKEW_SECONDS) return undefined;
  return { userId: String(sub), loginId: String(sid), workspaceId: String(wid) };
}
