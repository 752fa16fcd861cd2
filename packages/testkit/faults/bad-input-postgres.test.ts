import { describeBadInput } from './bad-input/describe-bad-input.ts'
import { postgresHost } from './stages/postgres-stage.ts'

describeBadInput(postgresHost)
