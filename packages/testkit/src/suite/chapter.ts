import type { CaseContext } from './context.ts'

export type CaseBody = (t: CaseContext) => Promise<void>

/** One numbered promise of the contract, and its proof. */
export interface Case {
  readonly number: number
  /** "15 first in, first out …": the number, then a sentence. */
  readonly title: string
  readonly body: CaseBody
  /** It measures time, or needs the machine for itself: never beside other cases. */
  readonly alone: boolean
  /** It is about starting: the storage it is given has not been started. */
  readonly cold: boolean
}

export interface Chapter {
  readonly name: string
  readonly cases: readonly Case[]
}

type Proof = CaseBody | { readonly alone?: true; readonly cold?: true; readonly body: CaseBody }

export function chapter(name: string, proofs: Readonly<Record<string, Proof>>): Chapter {
  return {
    name,
    cases: Object.entries(proofs).map(([title, proof]) => ({
      number: Number.parseInt(title, 10),
      title,
      body: typeof proof === 'function' ? proof : proof.body,
      alone: typeof proof !== 'function' && proof.alone === true,
      cold: typeof proof !== 'function' && proof.cold === true,
    })),
  }
}
