import { Module } from '@nestjs/common';
import { AuthModule } from '@features/auth';
import { DocumentsModule } from '@features/documents';
import { JobsModule } from '@features/jobs';
import { RemainsRepository } from './remains.repository';
import { UserRemoval } from './user-removal.service';
import { WorkspaceRemoval } from './workspace-removal.service';

/** Deleting workspaces and people with everything that is theirs, over all features. */
@Module({
  imports: [AuthModule, DocumentsModule, JobsModule],
  providers: [RemainsRepository, UserRemoval, WorkspaceRemoval],
  exports: [UserRemoval, WorkspaceRemoval],
})
export class WorkspacesModule {}
