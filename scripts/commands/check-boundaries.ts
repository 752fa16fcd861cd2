import { findViolations } from '../checks/boundaries.ts'
import { checkout } from './checkout.ts'

const violations = findViolations(checkout)
for (const line of violations) console.error(line)
process.exitCode = violations.length === 0 ? 0 : 1
