import { FirstSchema1764000000000 } from './1764000000000-first-schema';
import { Documents1764500000002 } from './1764500000002-documents';
import { Chat1764500000003 } from './1764500000003-chat';
import { Ollama1764500000004 } from './1764500000004-ollama';
import { Vectors1764500000005 } from './1764500000005-vectors';
import { Usage1764500000006 } from './1764500000006-usage';
import { Agents1764500000007 } from './1764500000007-agents';
import { Members1764600000001 } from './1764600000001-members';
import { Lineage1764700000002 } from './1764700000002-lineage';
import { Processes1764700000003 } from './1764700000003-processes';
import { StoreChanges1764700000004 } from './1764700000004-store-changes';
import { Dispatch1764800000003 } from './1764800000003-dispatch';

/** Every migration, oldest first. */
export const MIGRATIONS = [
  FirstSchema1764000000000,
  Documents1764500000002,
  Chat1764500000003,
  Ollama1764500000004,
  Vectors1764500000005,
  Usage1764500000006,
  Agents1764500000007,
  Members1764600000001,
  Lineage1764700000002,
  Processes1764700000003,
  StoreChanges1764700000004,
  Dispatch1764800000003,
];
