import type { Contender } from '../contender.ts'

const modules: readonly (() => Promise<{ contenders: readonly Contender[] }>)[] = [
  () => import('./q.ts'),
  () => import('./bullmq.ts'),
  () => import('./bee-queue.ts'),
  () => import('./graphile-worker.ts'),
  () => import('./pg-boss.ts'),
  () => import('./plainjob.ts'),
  () => import('./raw-redis.ts'),
  () => import('./raw-postgres.ts'),
  () => import('./raw-sqlite.ts'),
]

/** All of them, in the order of the table. */
export async function loadContenders(): Promise<readonly Contender[]> {
  return (await Promise.all(modules.map((load) => load()))).flatMap(({ contenders }) => contenders)
}

export function keyOf({ storage, name, setting }: Pick<Contender, 'storage' | 'name' | 'setting'>): string {
  return `${storage}/${name}/${setting}`
}
