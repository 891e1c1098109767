import { Module } from '@nestjs/common';
import { AuthModule } from '@features/auth';
import { WorkspacesModule } from '@features/workspaces';
import { UsersController } from './users.controller';

/** The HTTP edge of the instance's people. */
@Module({ imports: [AuthModule, WorkspacesModule], controllers: [UsersController] })
export class UsersApiModule {}
