import { describeStorage } from '@q/testkit'
import { afterAll } from 'vitest'
import { dropSchemas } from './schemas.ts'
import { openScratch } from './scratch.ts'

afterAll(dropSchemas)

describeStorage('postgres', (options) => openScratch(undefined, options))
