/** Of the package; the release sets it together with package.json. */
export const packageVersion = '0.0.0'
