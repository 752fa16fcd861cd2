import { describeDifferential, describeStorage } from '@q/testkit'
import { afterAll } from 'vitest'
import { pgbouncerUrl } from './on-server.ts'
import { dropSchemas } from './schemas.ts'
import { openScratch } from './scratch.ts'

afterAll(dropSchemas)

describeStorage('postgres', (options) => openScratch(undefined, options))
describeStorage('postgres through PgBouncer', (options) => openScratch(pgbouncerUrl, options))
describeDifferential('postgres', () => openScratch())
