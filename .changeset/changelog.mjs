/** Changelogs for the person who upgrades: what a changeset says, without commit hashes. */

/** @param {{ summary: string }} changeset */
export async function getReleaseLine({ summary }) {
  const [first = '', ...rest] = summary.trim().split('\n')
  return [`- ${first}`, ...rest.map((line) => (line === '' ? '' : `  ${line}`))].join('\n')
}

/**
 * @param {readonly unknown[]} _changesets
 * @param {ReadonlyArray<{ name: string, newVersion: string }>} dependencies
 */
export async function getDependencyReleaseLine(_changesets, dependencies) {
  if (dependencies.length === 0) return ''
  return `- Goes with ${dependencies.map(({ name, newVersion }) => `${name} ${newVersion}`).join(', ')}.`
}
