import type { AuditEvent } from '../commands/audit.ts'
import type { Visit } from '../visit.ts'

/** After a change: tell the application, and let nobody see what was true before. */
export function record(
  visit: Visit,
  event: Pick<AuditEvent, 'action' | 'target' | 'reason' | 'outcome' | 'count' | 'search'>,
): void {
  visit.site.reader.forget()
  visit.audit.done(visit, event)
}
