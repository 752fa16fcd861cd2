import { describeSingleFaults } from './single/describe-single-faults.ts'
import { sqliteHost } from './stages/sqlite-stage.ts'

describeSingleFaults(sqliteHost)
