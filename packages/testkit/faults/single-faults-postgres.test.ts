import { describeLineFaults, describeSingleFaults } from './single/describe-single-faults.ts'
import { postgresHost } from './stages/postgres-stage.ts'

describeSingleFaults(postgresHost)
describeLineFaults(postgresHost)
