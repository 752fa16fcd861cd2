import { apply } from '../functions/apply.ts'
import { create } from '../functions/create.ts'
import { moves } from '../functions/moves.ts'
import { schedules } from '../functions/schedules.ts'
import { upkeep } from '../functions/upkeep.ts'
import { work } from '../functions/work.ts'
import type { Migration } from './migration.ts'

export const createFunctions: Migration = {
  id: '0002-create-functions',
  sql: (q) =>
    quoteBodies(q, (name) => [moves, create, apply, work, upkeep, schedules].map((part) => part(name)).join('\n')),
}

/** Bodies stand between $$, which a schema's name may hold too: then they stand between something else. */
function quoteBodies(q: string, text: (q: string) => string): string {
  let tag = '$body$'
  while (q.includes(tag)) tag = `$b${tag.slice(1)}`
  const veil = [...'\u{e000}\u{e001}\u{e002}'].find((character) => !q.includes(character)) ?? '\u{e003}'
  return text(q.replaceAll('$', veil))
    .replaceAll('$$', () => tag)
    .replaceAll(veil, () => '$')
}
