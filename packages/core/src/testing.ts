/** For the testkit: what it needs to read what a storage holds. Not for programs. */
export { type Wire, createWire } from './codec/wire.ts'
