/** The reason why a command cannot go on, as one sentence that says what to do. It is shown without a stack. */
export class Refusal extends Error {}
