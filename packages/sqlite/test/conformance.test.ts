import { describeStorage } from '@q/testkit'
import { openFileScratch, openMemoryScratch } from './scratch.ts'

describeStorage('sqlite', openFileScratch)
describeStorage('sqlite :memory:', openMemoryScratch)
