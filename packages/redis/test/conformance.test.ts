import { describeStorage } from '@q/testkit'
import { openClusterScratch, openScratch } from './scratch.ts'

describeStorage('redis', openScratch)
describeStorage('redis cluster', openClusterScratch)
