import type { StateDefinition } from './state.ts'

/** Runs on a server. Only a claim enters it; the history says which server. */
export interface Processing {
  readonly name: 'processing'
  readonly reason?: string | undefined
}

export const processingState: StateDefinition<'processing'> = { name: 'processing', phase: 'active' }
