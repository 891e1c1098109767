import { Module } from '@nestjs/common';
import { AuthModule } from '@features/auth';
import { WorkspacesModule } from '@features/workspaces';
import { InvitationsController } from './invitations.controller';
import { MembersController } from './members.controller';
import { WorkspacesController } from './workspaces.controller';

/** The HTTP edge of workspaces and their members. */
@Module({ imports: [AuthModule, WorkspacesModule], controllers: [WorkspacesController, MembersController, InvitationsController] })
export class WorkspacesApiModule {}
