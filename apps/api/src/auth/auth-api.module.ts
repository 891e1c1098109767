import { Module } from '@nestjs/common';
import { AuthModule } from '@features/auth';
import { ApiKeysController } from './api-keys.controller';
import { AuthController } from './auth.controller';
import { Setup } from './setup.service';

/** The HTTP edge of identity. */
@Module({ imports: [AuthModule], controllers: [AuthController, ApiKeysController], providers: [Setup] })
export class AuthApiModule {}
