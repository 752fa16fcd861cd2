import { money, prints, sizes } from '../shop/catalogue.ts'
import { type Html, html } from './html.ts'
import { orderCard, orderLine } from './order-card.ts'
import { picture } from './picture.ts'
import type { OrderView } from './read-order.ts'

function page(title: string, main: Html): string {
  return `<!doctype html>${html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${title}</title>
      <link rel="icon" href="data:," />
      <link rel="stylesheet" href="/style.css" />
      <script type="module" src="/live.js"></script>
    </head>
    <body>
      <header>
        <a class="brand" href="/">Halflight</a>
        <nav><a href="/">Prints</a> <a href="/jobs">Behind the scenes</a></nav>
      </header>
      <main>${main}</main>
      <footer>Nothing here is for sale: the bank, the press and the post are made up. The jobs are real.</footer>
    </body>
  </html>`}`
}

export function shopPage(recent: readonly OrderView[]): string {
  return page(
    'Halflight, prints of quiet places',
    html`<section class="shop">
      <form method="post" action="/orders">
        <h1>Prints of quiet places</h1>
        <fieldset class="prints">
          <legend>Choose a print</legend>
          ${prints.map(
            (print, index) =>
              html`<label>
                <input type="radio" name="print" value="${print.id}" ${index === 0 ? html`checked` : null} />
                <span class="frame">${picture(print)}</span>
                <span>${print.title}</span>
              </label>`,
          )}
        </fieldset>
        <div class="choices">
          <fieldset class="sizes">
            <legend>Size</legend>
            ${Object.entries(sizes).map(
              ([size, cents]) =>
                html`<label
                  ><input type="radio" name="size" value="${size}" ${size === 'A3' ? html`checked` : null} /><span
                    >${size} <small>${money(cents)}</small></span
                  ></label
                >`,
            )}
          </fieldset>
          <label>Copies <input name="copies" type="number" min="1" max="9" value="1" required /></label>
          <label>Name <input name="name" value="Ada" maxlength="60" required autocomplete="name" /></label>
          <label>
            Mail
            <input name="email" type="email" value="ada@example.com" maxlength="120" required autocomplete="email" />
          </label>
          <button>Order</button>
        </div>
      </form>
      <aside>
        <h2>In the workshop</h2>
        <div data-live="/events">${recentList(recent)}</div>
      </aside>
    </section>`,
  )
}

export function recentList(recent: readonly OrderView[]): Html {
  return recent.length === 0
    ? html`<p class="quiet">Nobody has ordered yet. Be the first.</p>`
    : html`<ul class="recent">
        ${recent.map(orderLine)}
      </ul>`
}

export function orderPage(view: OrderView): string {
  const live = view.isOver ? null : html`data-live="/orders/${view.order.number}/events"`
  return page(`Order ${view.order.number}`, html`<div ${live}>${orderCard(view)}</div>`)
}

export function messagePage(title: string, text: string): string {
  return page(
    title,
    html`<h1>${title}</h1>
      <p>${text}</p>
      <p><a href="/">Back to the prints</a></p>`,
  )
}
