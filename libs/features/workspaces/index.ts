export { UserRemoval } from './user-removal.service';
export { WorkspaceRemoval } from './workspace-removal.service';
export { WorkspacesModule } from './workspaces.module';
