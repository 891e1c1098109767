export { scopesOf } from './role-scopes';
export { StandingModule } from './standing.module';
export { Standing, type Bearer } from './standing.service';
