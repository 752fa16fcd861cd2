/** A promise of the storage or of core that did not hold. */
export class Violation extends Error {}
