import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import type {
  BaseClient,
  Client,
  Counts,
  JobDefinition,
  JobHandle,
  JobId,
  JobQuery,
  JobStorage,
  JobSummary,
  MemoryStorage,
  Page,
  PageRequest,
  RecurringRun,
  TransactionalStorage,
} from '../src/index.ts'
import { createClient, defineJob, memoryStorage, recurringJob, snooze } from '../src/index.ts'

// Checked by the compiler; run so that nobody forgets the file.

const add = defineJob({ name: 'add', run: (input: { a: number; b: number }) => input.a + input.b })
const schema = defineJob({
  name: 'schema',
  input: z.object({ to: z.string(), n: z.string().transform(Number) }),
  run: async (input) => ({ twice: input.n * 2 }),
})
const nothing = defineJob({ name: 'nothing', run: () => undefined })
const sometimes = defineJob({ name: 'sometimes', run: (hurry: boolean) => (hurry ? 'done' : snooze('1m')) })
const bare = defineJob<{ id: string }, Date>()({ name: 'bare' })

test('name, input and result are linked without a type argument', () => {
  expectTypeOf(add).toEqualTypeOf<JobDefinition<{ a: number; b: number }, number>>()
  expectTypeOf(schema).toEqualTypeOf<JobDefinition<{ to: string; n: string }, { twice: number }>>()
  expectTypeOf(sometimes).toExtend<JobDefinition<boolean, string>>()
  expectTypeOf(bare).toEqualTypeOf<JobDefinition<{ id: string }, Date>>()
  expectTypeOf<ReturnType<typeof use>>().resolves.toEqualTypeOf<JobHandle<number>>()
  expect(add.name).toBe('add')
})

function use(client: BaseClient) {
  return client.enqueue(add, { a: 1, b: 2 })
}

/** Never called: what must not compile. */
export async function mustNotCompile(client: BaseClient): Promise<void> {
  // @ts-expect-error a field is missing
  await client.enqueue(add, { a: 1 })
  // @ts-expect-error a field has the wrong type
  await client.enqueue(add, { a: 1, b: '2' })
  // @ts-expect-error the input is missing
  await client.enqueue(add)
  // @ts-expect-error the schema's input counts, not its output
  await client.enqueue(schema, { to: 'x', n: 2 })
  // @ts-expect-error this job takes no input
  await client.enqueue(nothing, 5)
  // @ts-expect-error unknown option
  await client.enqueue(nothing, undefined, { quueue: 'x' })
  // @ts-expect-error functions are not data
  await client.enqueue(defineJob<{ f: () => void }>()({ name: 'f' }), { f: () => undefined })
  // @ts-expect-error one of `in` and `at`
  await client.schedule(add, { a: 1, b: 2 }, {})
  // @ts-expect-error not both
  await client.schedule(add, { a: 1, b: 2 }, { in: '1m', at: new Date() })
  // @ts-expect-error a number needs a unit
  await client.schedule(add, { a: 1, b: 2 }, { in: '10' })
  // @ts-expect-error nobody waits for that end
  await client.continueWith('id', add, { a: 1, b: 2 }, { on: 'done' })
  // @ts-expect-error one input of many is wrong
  await client.enqueueMany(add, [{ a: 1, b: 2 }, { a: 1 }])
  // @ts-expect-error the input is missing
  await client.recurring.put('r', { job: add, cron: '@daily' })
  // @ts-expect-error the input has the wrong type
  recurringJob('r', { job: add, cron: '@daily', input: { a: 1, b: '2' } })
  // @ts-expect-error cron or every
  await client.recurring.put('r', { job: nothing })
  // @ts-expect-error not both
  await client.recurring.put('r', { job: nothing, cron: '@daily', every: '1h' })
  // @ts-expect-error the schema decides, the handler must agree
  defineJob({ name: 'x', input: z.string(), run: (input: number) => input })
  const unique = { key: (input: { from: string }) => input.from }
  // @ts-expect-error the key is made of the input
  defineJob({ name: 'x', unique, run: (input: { to: string }) => input })
}

test('what a storage cannot do is not there', () => {
  expectTypeOf<Client<MemoryStorage>>().toHaveProperty('enqueueSync')
  expectTypeOf<Client<MemoryStorage>>().not.toHaveProperty('with')
  expectTypeOf<Client<JobStorage>>().not.toHaveProperty('enqueueSync')
  expectTypeOf<Client<TransactionalStorage<{ tx: true }>>['with']>().parameter(0).toEqualTypeOf<{ tx: true }>()
  expect('with' in createClient({ storage: memoryStorage() })).toBe(false)
})

test('whatever a client takes and answers can be named without the adapter entry', () => {
  type Monitor = BaseClient['monitor']
  expectTypeOf<JobHandle<unknown>['id']>().toEqualTypeOf<JobId>()
  expectTypeOf<Parameters<Monitor['jobs']>[0]>().toEqualTypeOf<JobQuery>()
  expectTypeOf<Parameters<Monitor['jobs']>[1]>().toEqualTypeOf<PageRequest>()
  expectTypeOf<Monitor['jobs']>().returns.resolves.toEqualTypeOf<Page<JobSummary>>()
  expectTypeOf<Monitor['counts']>().returns.resolves.toEqualTypeOf<Counts>()
  expectTypeOf<BaseClient['recurring']['runs']>().returns.resolves.toEqualTypeOf<readonly RecurringRun[]>()
})
