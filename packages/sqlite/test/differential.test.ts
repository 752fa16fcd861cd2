import { describeDifferential } from '@q/testkit'
import { openFileScratch, openMemoryScratch } from './scratch.ts'

describeDifferential('sqlite', openFileScratch)
describeDifferential('sqlite :memory:', openMemoryScratch, { seeds: 100 })
