import { postgresStage } from './stages/postgres-stage.ts'
import { describeStorm } from './storm/describe-storm.ts'

describeStorm(postgresStage)
