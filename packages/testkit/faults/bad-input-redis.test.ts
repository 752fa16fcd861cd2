import { describeBadInput } from './bad-input/describe-bad-input.ts'
import { redisHost } from './stages/redis-stage.ts'

describeBadInput(redisHost)
