import { sqliteStage } from './stages/sqlite-stage.ts'
import { describeStorm } from './storm/describe-storm.ts'

describeStorm(() => sqliteStage())
