import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

/** Tests run from source: every project resolves `@q/*` through the `@q/source` condition. */
const conditions = ['@q/source', ...defaultServerConditions]

/**
 * The parts of `npm test`, in the order they run, one after another: so the time printed for a part is its own.
 * `npm run test:fast` names those that need no server; whoever needs one gets it from `scripts/services`.
 */
const parts: Record<string, { root: string; include?: string[]; maxConcurrency?: number }> = {
  core: { root: './packages/core' },
  testkit: { root: './packages/testkit' },
  sqlite: { root: './packages/sqlite' },
  postgres: { root: './packages/postgres' },
  redis: { root: './packages/redis' },
  dashboard: { root: './packages/dashboard' },
  demo: { root: './apps/demo' },
  docs: { root: './docs' },
  bench: { root: './bench' },
  scripts: { root: './scripts', include: ['test/**/*.test.ts'] },
  // Its tests mostly wait: for leases to run out, for processes to start.
  faults: { root: './packages/testkit', include: ['faults/**/*.test.ts'], maxConcurrency: 3 },
}

/**
 * Machines of a CI are shared: a bound in milliseconds may be missed for reasons that are not ours. A test gets more time
 * there, and a second try, and whoever needed one is named at the end.
 */
const isShared = process.env['CI'] !== undefined

/** What Node loads by itself is not counted, so vitest has to load the packages as well. */
const isCounting = process.argv.includes('--coverage')

/** Where the outcome is written down for those who count. */
const results = process.env['Q_TEST_RESULTS']

export default defineConfig({
  test: {
    reporters: ['default', './scripts/test-parts.ts', ...(results === undefined ? [] : ['json'])],
    outputFile: results === undefined ? {} : { json: results },
    // Seen from the root of a project, so it fits one of them at a time: `npm run coverage`.
    coverage: {
      include: ['src/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: ['text-summary', 'html'],
      thresholds: { lines: 95 },
    },
    projects: Object.entries(parts).map(([name, { root, include, maxConcurrency }], order) => ({
      ssr: { resolve: { conditions, externalConditions: ['@q/source'] } },
      resolve: { conditions },
      test: {
        name,
        root,
        include: include ?? ['src/**/*.test.ts', 'test/**/*.test.ts'],
        // Native addons want processes, not threads.
        pool: 'forks',
        ...(isCounting ? { server: { deps: { inline: true } } } : {}),
        // Vitest would leave a core to itself, which on two cores is half of them.
        maxWorkers: 2,
        ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
        testTimeout: isShared ? 90_000 : 30_000,
        // Said in the output; see scripts/test-parts.ts.
        retry: isShared ? 1 : 0,
        hookTimeout: isShared ? 120_000 : 60_000,
        sequence: { groupOrder: order },
      },
    })),
  },
})
