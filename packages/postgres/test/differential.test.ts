import { describeDifferential } from '@q/testkit'
import { afterAll } from 'vitest'
import { dropSchemas } from './schemas.ts'
import { openScratch } from './scratch.ts'

afterAll(dropSchemas)

describeDifferential('postgres', () => openScratch())
