import { describeBadInput } from './bad-input/describe-bad-input.ts'
import { sqliteHost } from './stages/sqlite-stage.ts'

describeBadInput(sqliteHost)
