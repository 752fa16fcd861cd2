export { type DescribeOptions, describeStorage } from './suite/describe-storage.ts'
export {
  type OpenScratch,
  type RestartableServer,
  type ScratchOptions,
  type ScratchStorage,
  type ScratchTransaction,
} from './suite/scratch.ts'
export { type Case, type CaseBody, type Chapter } from './suite/chapter.ts'
export { CaseContext, type SuiteOptions } from './suite/context.ts'
export { conformance } from './suite/conformance.ts'
export { runCase } from './suite/run-case.ts'
export { type ChildOrigin, type ChildStorage, openChild } from './faults/child.ts'
export { type Held, type Line, lineOverProxy, lineOverWrapper } from './faults/line.ts'
export { ManualClock } from './manual-clock.ts'
export { TcpProxy } from './faults/tcp-proxy.ts'
export { type CallOnTheWay, type Fate, unreliable } from './faults/unreliable.ts'
export { cases } from './suite/cases.ts'
export {
  type DifferentialOptions,
  describeDifferential,
  differentialTitles,
} from './differential/describe-differential.ts'
export { type SeedOptions, runSeeds } from './differential/run-seeds.ts'
export { type DrainOptions, type TestQ, type TestQOptions, createTestQ } from './test-q/create-test-q.ts'
export { type TestJob } from './test-q/created-jobs.ts'
export { type Expectation, type ExpectedInput } from './test-q/expectations.ts'
