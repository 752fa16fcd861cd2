import { openApi } from './api/openapi.ts'
import { raw, type Route } from './route.ts'
import { forms } from './routes/forms.ts'
import { pages } from './routes/pages.ts'
import { rest } from './routes/rest.ts'
import { streams } from './routes/streams.ts'

const described: readonly Route[] = [...pages, ...forms, ...rest, ...streams]
let description: string | undefined

/** Everything there is: what is dispatched, described in OpenAPI and walked through by the tests. */
export const routes: readonly Route[] = [
  ...described,
  raw('/api/v1/openapi.json', 'application/json', 'This description.', async () => {
    description ??= JSON.stringify(openApi(described))
    return new Response(description, { headers: { 'content-type': 'application/json' } })
  }),
]
