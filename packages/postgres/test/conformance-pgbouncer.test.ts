import { describeStorage } from '@q/testkit'
import { afterAll } from 'vitest'
import { pgbouncerUrl } from './on-server.ts'
import { dropSchemas } from './schemas.ts'
import { openScratch } from './scratch.ts'

afterAll(dropSchemas)

describeStorage('postgres through PgBouncer', (options) => openScratch(pgbouncerUrl, options))
