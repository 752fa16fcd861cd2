import { QError } from '../errors.ts'
import { checkName } from '../jobs/name.ts'

/** True for a pattern of a server's list: `*` is one segment, `>` at the end is one or more. */
export function isPattern(queue: string): boolean {
  return queue.split('.').some((segment) => segment === '*' || segment === '>')
}

export function matchesPattern(pattern: string, queue: string): boolean {
  const wanted = pattern.split('.')
  const given = queue.split('.')
  for (const [index, segment] of wanted.entries()) {
    if (segment === '>') return given.length > index
    if (index >= given.length || (segment !== '*' && segment !== given[index])) return false
  }
  return given.length === wanted.length
}

/** An entry of a server's queue list. Wildcards stand alone in their segment, `>` only at the end. */
export function checkPattern(pattern: string): string {
  checkName('queue name', pattern)
  const segments = pattern.split('.')
  for (const [index, segment] of segments.entries()) {
    const alone = segment === '*' || (segment === '>' && index === segments.length - 1)
    if (!alone && /[*>]/.test(segment)) {
      throw new QError(
        'Q_NAME_INVALID',
        `The queue "${pattern}" uses a wildcard in a way that matches nothing: "*" stands for one whole segment, ">" for all the rest, as in "video.*" or "video.>".`,
      )
    }
  }
  return pattern
}
