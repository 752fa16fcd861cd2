// `node scripts/services.mjs command...` runs a command with private servers: see README.md.
process.argv.splice(2, 0, 'services')
await import('./run.mjs')
