import { redisStage } from './stages/redis-stage.ts'
import { describeStorm } from './storm/describe-storm.ts'

describeStorm(() => redisStage('everysec'))
