import type { ServiceIndicator } from '@kernel/health';

/** The indicators of all services that this release can use; health.module.ts lists them. */
export class ServiceIndicators {
  constructor(readonly all: readonly ServiceIndicator[]) {}
}
