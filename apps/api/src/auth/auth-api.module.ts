import { Module } from '@nestjs/common';
import { AuthModule } from '@features/auth';
import { UsageModule } from '@features/usage';
import { ApiKeysController } from './api-keys.controller';
import { AuthController } from './auth.controller';
import { CredentialsController } from './credentials.controller';
import { Setup } from './setup.service';

/** The HTTP edge of identity. */
@Module({ imports: [AuthModule, UsageModule], controllers: [AuthController, CredentialsController, ApiKeysController], providers: [Setup] })
export class AuthApiModule {}
