import { type HealthSummary, overall, type ServiceReport } from '@features/health';
import { z } from 'zod';

export const probeSchema = z.object({ status: z.enum(['ok', 'unavailable']) }).meta({ id: 'Probe' });

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    version: z.string(),
    uptime_seconds: z.int().min(0),
  })
  .meta({ id: 'Health' });

export const serviceSchema = z
  .object({
    name: z.string(),
    status: z.enum(['up', 'degraded', 'down', 'disabled']),
    driver: z.string().nullable(),
    required: z.boolean(),
    latency_ms: z.number().nullable(),
    checked_at: z.iso.datetime().nullable(),
    since: z.iso.datetime().nullable(),
    details: z.record(z.string(), z.number()).optional().meta({ description: 'Figures that say more than the status.' }),
    error: z.string().optional().meta({ description: 'What the last check said; for an instance admin only.' }),
  })
  .meta({ id: 'ServiceHealth' });

export const detailedHealthSchema = z
  .object({ status: z.enum(['ok', 'degraded', 'unavailable']), services: z.array(serviceSchema) })
  .meta({ id: 'DetailedHealth' });

export function healthView(summary: HealthSummary): z.infer<typeof healthSchema> {
  return { status: summary.status, version: summary.version, uptime_seconds: summary.uptimeSeconds };
}

export function serviceView(report: ServiceReport, withErrors: boolean): z.infer<typeof serviceSchema> {
  return {
    name: report.name,
    status: report.status,
    driver: report.driver,
    required: report.required,
    latency_ms: report.latencyMs,
    checked_at: report.checkedAt?.toISOString() ?? null,
    since: report.since?.toISOString() ?? null,
    ...(report.details === undefined ? {} : { details: { ...report.details } }),
    ...(withErrors && report.error !== undefined ? { error: report.error } : {}),
  };
}

export function detailedHealthView(services: ServiceReport[], withErrors: boolean): z.infer<typeof detailedHealthSchema> {
  return { status: overall(services), services: services.map((report) => serviceView(report, withErrors)) };
}
