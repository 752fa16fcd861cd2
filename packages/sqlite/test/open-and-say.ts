import { sqliteStorage } from '@q/sqlite'

/** Opens the file that is named, as whoever runs this, and prints how that went. */
const storage = sqliteStorage(process.argv[2]!)
try {
  await storage.start()
  console.log(JSON.stringify({ opened: true }))
} catch (error) {
  const { code, message } = error as Error & { code: string }
  console.log(JSON.stringify({ opened: false, code, message }))
} finally {
  await storage.close()
}
