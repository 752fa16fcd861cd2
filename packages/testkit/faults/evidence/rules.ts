/** How the jobs of the fleet have to end. `from`: the job whose applied success makes it, exactly once. */
export interface Rule {
  readonly ends: 'succeeded' | 'failed'
  readonly follower?: string | undefined
  /** Made by servers alone: nobody announces it. */
  readonly made?: 'by success' | 'by handler' | 'by schedule' | undefined
}

export const rules: Readonly<Record<string, Rule>> = {
  'fault.plain': { ends: 'succeeded' },
  'fault.long': { ends: 'succeeded' },
  'fault.flaky': { ends: 'succeeded' },
  'fault.doomed': { ends: 'failed' },
  'fault.parent': { ends: 'succeeded' },
  'fault.child': { ends: 'succeeded' },
  'fault.family': { ends: 'succeeded', follower: 'fault.follower' },
  'fault.follower': { ends: 'succeeded', made: 'by success' },
  'fault.begetter': { ends: 'succeeded', follower: 'fault.begotten' },
  'fault.begotten': { ends: 'succeeded', made: 'by handler' },
  'fault.tick': { ends: 'succeeded', made: 'by schedule' },
}
