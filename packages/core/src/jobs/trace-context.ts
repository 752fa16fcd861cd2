import { AsyncLocalStorage } from 'node:async_hooks'

/** W3C trace context: it travels with every job enqueued inside it, and is current again while that job runs. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string | undefined
}

const traces = new AsyncLocalStorage<TraceContext>()
const pattern = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** The trace context this code runs in, if any. */
export function currentTrace(): TraceContext | undefined {
  return traces.getStore()
}

/**
 * Runs something inside a trace context.
 *
 * @example
 * await withTrace({ traceparent: request.headers.traceparent }, () => client.enqueue(charge, order))
 */
export function withTrace<T>(trace: TraceContext, run: () => T): T {
  return pattern.test(trace.traceparent) ? traces.run(trace, run) : run()
}

export function serializeTrace(trace: TraceContext): string {
  return trace.tracestate === undefined ? trace.traceparent : `${trace.traceparent};${trace.tracestate}`
}

export function parseTrace(text: string | undefined): TraceContext | undefined {
  if (text === undefined) return undefined
  const [traceparent = '', ...state] = text.split(';')
  if (!pattern.test(traceparent)) return undefined
  return state.length === 0 ? { traceparent } : { traceparent, tracestate: state.join(';') }
}
