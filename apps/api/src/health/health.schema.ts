import type { HealthDetails, HealthSummary, ServiceReport } from '@features/health';
import { z } from 'zod';

export const probeSchema = z.object({ status: z.enum(['ok', 'unavailable']) }).meta({ id: 'Probe' });

const reasonsSchema = z.array(z.string()).optional().meta({ description: 'Why it is degraded although every service is up.' });

export const healthSchema = z
  .object({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    version: z.string(),
    uptime_seconds: z.int().min(0),
    reasons: reasonsSchema,
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
  .object({ status: z.enum(['ok', 'degraded', 'unavailable']), services: z.array(serviceSchema), reasons: reasonsSchema })
  .meta({ id: 'DetailedHealth' });

export function healthView(summary: HealthSummary): z.infer<typeof healthSchema> {
  return { status: summary.status, version: summary.version, uptime_seconds: summary.uptimeSeconds, ...reasonsView(summary) };
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

export function detailedHealthView(health: HealthDetails, withErrors: boolean): z.infer<typeof detailedHealthSchema> {
  return { status: health.status, services: health.services.map((report) => serviceView(report, withErrors)), ...reasonsView(health) };
}

function reasonsView({ reasons }: Pick<HealthDetails, 'reasons'>): { reasons?: string[] } {
  return reasons.length === 0 ? {} : { reasons: [...reasons] };
}
