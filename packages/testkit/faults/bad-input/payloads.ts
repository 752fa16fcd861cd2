/** Inputs and results as they come from programs that were not thinking of us, and from people who were. */
export const payloads: Readonly<Record<string, () => unknown>> = {
  'an empty object': () => ({}),
  null: () => null,
  'an empty text': () => '',
  'a text of 5 MB': () => 'x'.repeat(5 * 1024 * 1024),
  'a text of nearly 1 MB in three-byte characters': () => '€'.repeat(340_000),
  'data 400 levels deep': () => nested(400),
  'data 20,000 levels deep': () => nested(20_000),
  'a cycle': () => {
    const self: Record<string, unknown> = { name: 'self' }
    self['self'] = self
    return self
  },
  'the same object twice': () => {
    const shared = { shared: true }
    return [shared, shared]
  },
  'a BigInt': () => 1n,
  'a BigInt inside': () => ({ amount: { cents: 10n ** 30n } }),
  NaN: () => Number.NaN,
  'infinities inside': () => [Infinity, -Infinity],
  'minus zero': () => -0,
  'minus zero inside': () => ({ delta: [-0] }),
  'the largest safe number': () => Number.MAX_SAFE_INTEGER,
  'the smallest number': () => Number.MIN_VALUE,
  'a lone surrogate': () => 'half \ud800 a character',
  'a lone surrogate as a key': () => ({ '\udfff': 1 }),
  NUL: () => 'a\u0000b',
  'NUL as a key': () => ({ 'a\u0000': 1 }),
  'control characters': () => String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code), 127, 0x9b),
  'line separators': () => '\u2028\u2029</script><!--',
  'bidirectional text': () => '\u202egnp.exe',
  'an own __proto__': () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  'a then that is data': () => ({ then: 'later', toJSON: 'no function', toString: 1, valueOf: null }),
  'a then that is a function': () => ({ then: () => undefined }),
  'a toJSON that lies': () => ({ secret: 1, toJSON: () => 'something else' }),
  'an object without a prototype': () => Object.assign(Object.create(null) as object, { a: 1 }),
  'keys that look like numbers': () => ({ 2: 'two', 1: 'one', '01': 'padded', '-1': 'negative' }),
  'ten thousand keys': () => Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`key ${n}`, n])),
  'an array of 100,000 numbers': () => Array.from({ length: 100_000 }, (_, n) => n),
  'an array of a million': () => Array.from({ length: 1_000_000 }, (_, n) => n),
  'an array with holes': () => [1, , 3], // eslint-disable-line no-sparse-arrays
  'an array with a property': () => Object.assign([1, 2], { extra: true }),
  'a symbol as a key': () => ({ [Symbol('hidden')]: 1, shown: 2 }),
  'a symbol': () => Symbol('x'),
  'a function': () => () => 1,
  'a date': () => new Date(0),
  'an invalid date': () => new Date(Number.NaN),
  'a map': () => new Map([['a', 1]]),
  'a set inside': () => ({ set: new Set([1]) }),
  bytes: () => new Uint8Array([0, 255]),
  'an error': () => new Error('as data'),
  'a regular expression': () => /x/g,
  'an instance of a class': () =>
    new (class Order {
      id = 7
    })(),
  'a promise': () => Promise.resolve(1),
  'a proxy': () => new Proxy({ a: 1 }, {}),
  'a getter': () => ({
    get a() {
      return 1
    },
  }),
  'a getter that throws': () => ({
    get a(): never {
      throw new Error('from a getter')
    },
  }),
  'what looks like another codec': () => '~structured:{"json":1}',
  'what looks like our own words': () => ({ '~missing': 'nothing', $type: 'Order', module: 'node:fs', '~q': 1 }),
  'what looks like SQL and Lua': () => `'); drop table q.job; --\n]] redis.call('flushall') --[[`,
}

function nested(levels: number): unknown {
  let value: unknown = 'deep'
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
