import type { JobDetails } from '@q/core'
import { money, printOf } from '../shop/catalogue.ts'
import type { Step } from '../shop/order.ts'
import { type Html, html } from './html.ts'
import { picture } from './picture.ts'
import type { OrderView, StepView } from './read-order.ts'

const titles: Readonly<Record<Step, string>> = {
  charge: 'Payment',
  render: 'Printing',
  invoice: 'Invoice',
  ship: 'Parcel',
  tell: 'Note that it is on its way',
}

/** The whole story of one order. */
export function orderCard({ order, steps, isOver }: OrderView): Html {
  const print = printOf(order.print)
  return html`<article class="order">
    <div class="frame">${print === undefined ? null : picture(print)}</div>
    <div>
      <p class="quiet">Order ${order.number}</p>
      <h1>${print?.title ?? order.print}</h1>
      <p>${order.copies} × ${order.size}, ${money(order.cents)}, for ${order.customer.name}</p>
      <ol class="steps">
        ${steps.map(stepRow)}
      </ol>
      ${
        isOver
          ? html`<p class="quiet">${ending(steps)}</p>`
          : html`<form method="post" action="/orders/${order.number}/cancel">
              <button class="plain">Cancel this order</button>
            </form>`
      }
    </div>
  </article>`
}

function stepRow({ step, job, lastLine }: StepView): Html {
  const running = job.state === 'processing'
  return html`<li class="${job.status}">
    <span class="dot"></span>
    <div>
      <a href="/jobs/jobs/${job.id}">${titles[step]}</a> <span class="quiet">${sentence(job)}</span>
      ${
        running && job.progress !== undefined
          ? html`<progress value="${job.progress.value}" max="1">${Math.round(job.progress.value * 100)} %</progress>
              <small>${job.progress.message ?? ''}</small>`
          : null
      }
      ${running && lastLine !== undefined ? html`<small class="log">${lastLine}</small>` : null}
    </div>
  </li>`
}

/** What a customer wants to hear of a job. */
function sentence(job: JobDetails): string {
  switch (job.state) {
    case 'awaiting':
      return 'waits for what comes before'
    case 'scheduled':
      return job.attempt > 0 ? `did not work, ${job.reason ?? 'another attempt'} is coming` : 'later'
    case 'enqueued':
      return 'in line'
    case 'processing':
      return job.attempt > 1 ? `in work, attempt ${job.attempt}` : 'in work'
    case 'succeeded':
      return `done in ${seconds(job)}`
    case 'failed':
      return `did not work: ${job.error?.message ?? 'for a reason nobody knows'}`
    default:
      return job.reason ?? 'not any more'
  }
}

function seconds({ startedAt, finishedAt }: JobDetails): string {
  if (startedAt === undefined || finishedAt === undefined) return 'no time'
  return `${((finishedAt.getTime() - startedAt.getTime()) / 1000).toFixed(1)} s`
}

function ending(steps: readonly StepView[]): string {
  return steps.every(({ job }) => job.status === 'succeeded') ? 'Done. Enjoy it.' : 'This order has come to its end.'
}

/** One line on the front page. */
export function orderLine({ order, steps }: OrderView): Html {
  const print = printOf(order.print)
  return html`<li>
    <a href="/orders/${order.number}">
      <span>${print?.title ?? order.print} <span class="quiet">${order.size}, ${order.customer.name}</span></span>
      <span class="dots">
        ${steps.map(({ step, job }) => html`<i class="${job.status}" title="${titles[step]}: ${sentence(job)}"></i>`)}
      </span>
    </a>
  </li>`
}
