import { describeDifferential } from '@q/testkit'
import { openScratch } from './scratch.ts'

describeDifferential('redis', openScratch)
