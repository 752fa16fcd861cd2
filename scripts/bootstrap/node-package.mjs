import { Refusal } from './refusal.mjs'

/** Node runs our TypeScript itself from here on; the published packages ask for a little less. */
export const neededNode = [22, 18]

/** The Node that is fetched when the installed one is too old. */
export const fetchedNode = 24

/** @param {string} version as in `process.versions.node` */
export function isNodeNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = neededNode
  // 23 learned it later than 22 did.
  return major === 23 ? minor >= 6 : major > neededMajor || (major === neededMajor && minor >= neededMinor)
}

/**
 * The npm package that holds a Node for this machine.
 * @param {{ platform: string, arch: string, libc: 'glibc' | 'musl' | null }} machine
 */
export function nodePackage({ platform, arch, libc }) {
  const system = { linux: 'linux', darwin: 'darwin', win32: 'win' }[platform]
  if (system === undefined || !['x64', 'arm64'].includes(arch) || libc === 'musl') {
    const name = [platform, arch, libc === 'musl' ? 'musl' : ''].filter(Boolean).join('-')
    throw new Refusal(
      `There is no Node ${fetchedNode} to fetch for ${name}: install Node ${neededNode.join('.')} or newer yourself and run this command again.`,
    )
  }
  return `node-${system}-${arch}`
}

/** This machine, for `nodePackage`. */
export function thisMachine() {
  const { platform, arch } = process
  if (platform !== 'linux') return { platform, arch, libc: null }
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  const libc = report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  return { platform, arch, libc: /** @type {'glibc' | 'musl'} */ (libc) }
}
