import { describeLineFaults, describeSingleFaults } from './single/describe-single-faults.ts'
import { redisHost } from './stages/redis-stage.ts'

describeSingleFaults(redisHost)
describeLineFaults(redisHost)
