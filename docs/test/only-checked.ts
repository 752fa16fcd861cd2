/** Blocks that need a foreign framework or a server of their own: they are type-checked, and not run. */
export const onlyChecked: readonly string[] = [
  'docs/dashboard.md: Mounting it',
  'docs/dashboard.md: Mounting it (2)',
  'docs/dashboard.md: Mounting it (3)',
  'docs/production.md: PostgreSQL',
  'docs/production.md: PostgreSQL (2)',
  'docs/production.md: Redis',
  'docs/transactions.md: PostgreSQL',
  'docs/transactions.md: PostgreSQL (2)',
  'docs/writing-a-storage.md: Begin with the test',
  'packages/postgres/README.md: @q/postgres',
  'packages/redis/README.md: @q/redis',
  'packages/testkit/README.md: Prove a storage',
]
