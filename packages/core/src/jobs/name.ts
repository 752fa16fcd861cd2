import { QError } from '../errors.ts'

// eslint-disable-next-line no-control-regex -- control characters are what this is about
const control = /[\u0000-\u001f\u007f-\u009f]/

/** Names are compared exactly and never folded: 1 to 255 characters, no control characters, no lone surrogates. */
export function checkName(what: string, text: string): string {
  const why =
    typeof text !== 'string'
      ? `is ${text === null ? 'null' : typeof text}, not a text`
      : text.length === 0
        ? 'is empty'
        : text.length > 255
          ? `has ${text.length} characters; at most 255 are allowed`
          : control.test(text)
            ? 'holds a control character'
            : text.isWellFormed()
              ? null
              : 'holds half a character (a lone surrogate)'
  if (why === null) return text
  throw new QError(
    'Q_NAME_INVALID',
    `The ${what} ${typeof text === 'string' ? `${JSON.stringify(text.slice(0, 60))} ` : ''}${why}.`,
  )
}

/** A queue that jobs can be put into: segments separated by dots, without the wildcards of a server's list. */
export function checkQueueName(queue: string): string {
  checkName('queue name', queue)
  if (queue.includes('*') || queue.includes('>')) {
    throw new QError(
      'Q_NAME_INVALID',
      `The queue name ${JSON.stringify(queue)} holds "*" or ">". Those are wildcards of a server's queue list; give the job one exact queue.`,
    )
  }
  return queue
}
