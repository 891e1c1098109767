import { PrometheusMetrics } from '@backing/prometheus';
import type { JobPlaces } from '@features/jobs';
import { ModelAdmission, WaitingJobs } from '@features/models';
import type { AppConfig } from '@kernel/config';
import type { Metrics } from '@kernel/metrics';
import { modelSettings } from './models';

/** The gates of models as the application makes them; the places of jobs are told to nobody. */
export function openAdmission(models: Partial<AppConfig['models']> = {}, metrics: Metrics = new PrometheusMetrics()): ModelAdmission {
  const places = { tell: async () => undefined } as unknown as JobPlaces;
  return new ModelAdmission(modelSettings(models), new WaitingJobs(places), metrics);
}
