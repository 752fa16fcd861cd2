import type { SerializedError } from '@q/core'
import type { Fragment, Html } from './html.ts'
import { html } from './html.ts'
import { plural } from './format.ts'

interface Frame {
  readonly text: string
  /** Of a package or of Node itself. */
  readonly isForeign: boolean
}

/** An error as people look for its cause: the message, the first frame of their own code, the rest folded away. */
export function errorView(error: SerializedError, clean: (text: string) => string, depth: number = 0): Html {
  const frames = framesOf(clean(error.stack ?? ''))
  const first = frames.findIndex(({ isForeign }) => !isForeign)
  const properties = error.properties === undefined ? [] : Object.entries(error.properties)
  return html`<div class="error">
    <p class="error-head">
      <strong>${clean(error.name)}</strong
      >${error.code === undefined ? null : html` <code>${clean(error.code)}</code>`}:
      <span>${clean(error.message)}</span>
    </p>
    ${first < 0 ? null : html`<p class="error-frame"><code>${frames[first]!.text}</code></p>`}
    ${
      frames.length === 0
        ? null
        : html`<details class="stack">
            <summary>${stackTitle(frames)}</summary>
            <ol>
              ${frames.map(({ text, isForeign }) => html`<li class="${isForeign ? 'foreign' : ''}"><code>${text}</code></li>`)}
            </ol>
          </details>`
    }
    ${
      properties.length === 0
        ? null
        : html`<dl class="error-facts">
            ${properties.map(
              ([name, value]) =>
                html`<div>
                  <dt>${clean(name)}</dt>
                  <dd><code>${clean(JSON.stringify({ [name]: value }).slice(name.length + 4, -1))}</code></dd>
                </div>`,
            )}
          </dl>`
    }
    ${related('Caused by', error.cause === undefined ? [] : [error.cause], clean, depth)}
    ${related('Made of', error.errors ?? [], clean, depth)}
  </div>`
}

const deepest = 8

function related(
  title: string,
  errors: readonly SerializedError[],
  clean: (text: string) => string,
  depth: number,
): Fragment {
  if (errors.length === 0 || depth >= deepest) return null
  return errors.map(
    (error) =>
      html`<details class="cause" ${depth === 0 ? html`open` : null}>
        <summary>${title}: ${clean(error.name)}</summary>
        ${errorView(error, clean, depth + 1)}
      </details>`,
  )
}

function framesOf(stack: string): readonly Frame[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 60)
    .map((line) => ({
      text: line.trim().replace(/^at /, ''),
      isForeign: /node_modules|\bnode:|@q\//.test(line),
    }))
}

function stackTitle(frames: readonly Frame[]): string {
  const foreign = frames.filter(({ isForeign }) => isForeign).length
  return foreign === 0 ? plural(frames.length, 'frame') : `${plural(frames.length, 'frame')}, ${foreign} of libraries`
}
