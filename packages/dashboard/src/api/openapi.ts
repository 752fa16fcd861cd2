import * as z from 'zod'
import type { ApiRoute, Route } from '../route.ts'

interface Operation {
  readonly [key: string]: unknown
}

/** The description of the API, made from the table that dispatches it: it cannot say what is not so. */
export function openApi(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    if (!route.path.startsWith('/api/') && route.path !== '/healthz') continue
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operation(route)
  }
  const { schemas } = z.toJSONSchema(z.globalRegistry, {
    uri: (id) => `#/components/schemas/${id}`,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Q dashboard',
      version: '1',
      description:
        'Times are ISO 8601 in UTC, durations milliseconds, cursors opaque. What changes something needs `Sec-Fetch-Site: same-origin`, an `Origin` equal to the host, or an `Authorization` header.',
    },
    servers: [{ url: '../..' }],
    paths,
    components: {
      schemas: { ...withoutIds(schemas), Problem: problem },
    },
  }
}

function operation(route: Route): Operation {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(route.kind === 'api' ? queryParameters(route) : []),
  ]
  const failure = {
    description: 'A refusal.',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  return {
    summary: route.summary,
    operationId: operationId(route),
    'x-permission': route.permission,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.kind === 'api' && route.body !== undefined
      ? { requestBody: { content: { 'application/json': { schema: schemaOf(route.body, 'input') } } } }
      : {}),
    responses: {
      [route.kind === 'api' ? route.status : 200]: {
        description: route.summary,
        content:
          route.kind === 'api'
            ? { 'application/json': { schema: schemaOf(route.answer, 'output') } }
            : { [route.kind === 'raw' ? route.mediaType : 'text/html']: {} },
      },
      default: failure,
    },
  }
}

function operationId({ method, path }: Route): string {
  const words = path
    .replace(/^\/api\/(v1\/)?/, '')
    .replace(/:(\w+)/g, 'by-$1')
    .split(/[/.-]+/)
    .filter((word) => word !== '')
  return [method.toLowerCase(), ...words]
    .map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1)))
    .join('')
}

function queryParameters({ query }: ApiRoute): readonly Record<string, unknown>[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, unknown>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
}

/** Named schemas are written once, and referred to from wherever they are used. */
function schemaOf(type: z.ZodType, io: 'input' | 'output'): unknown {
  const {
    $schema: _dialect,
    $defs: _defs,
    ...schema
  } = z.toJSONSchema(type, { io, target: 'draft-2020-12', unrepresentable: 'any' }) as Record<string, unknown>
  return pointToComponents(typeof schema['id'] === 'string' ? { $ref: `#/components/schemas/${schema['id']}` } : schema)
}

function pointToComponents(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointToComponents)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string'
        ? item.replace('#/$defs/', '#/components/schemas/')
        : pointToComponents(item),
    ]),
  )
}

function withoutIds(schemas: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const { $id: _id, id: _name, $schema: _dialect, ...rest } = schema as Record<string, unknown>
      return [name, rest]
    }),
  )
}

const problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Decide on this, never on the text.' },
    detail: { type: 'string' },
  },
}
