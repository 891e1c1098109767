export { Canaries } from './canaries';
export { PASSWORD, People, type Person } from './people';
export { ACTORS, bearersOf, openTeam, SMALL, type Actor, type ActorName, type Team } from './team';
export { tenantState, type TableState } from './tenant-state';
export { Things, type ThingOwner, type VictimIds } from './things';
