import { expect, test } from 'vitest'
import { createRedactor, hidden } from './redact.ts'

const redact = createRedactor(undefined)
const canary = 'canary-value'

test('a key is known whatever its case, separators and width', () => {
  for (const key of [
    'password',
    'Password',
    'user_password',
    'API-Key',
    'apiKey',
    'ａｐｉ＿ｋｅｙ',
    'X-Auth-Token',
    'set-cookie',
    'client.secret',
    'pass',
    'pwd',
    'pass\u200bword',
    'AWS_ACCESS_KEY_ID',
  ]) {
    expect(redact.data({ [key]: canary }), key).toEqual({ [key]: hidden })
    expect(redact.preview(JSON.stringify({ [key]: canary })), key).not.toContain(canary)
  }
  for (const key of ['passenger', 'compass', 'name', 'monkey'])
    expect(redact.data({ [key]: canary })).toEqual({ [key]: canary })
})

test('data is walked through lists, maps and sets, to any depth, and prototypes are left alone', () => {
  const deep = {
    list: [{ nested: [{ token: canary }] }],
    map: new Map([['secret', canary]]),
    set: new Set([{ cookie: canary }]),
    ['__proto__x']: 1,
  }
  expect(JSON.stringify(redact.data(deep))).not.toContain(canary)
  const proto = JSON.parse('{"__proto__": {"password": "canary-value"}, "constructor": 1}') as unknown
  expect(JSON.stringify(redact.data(proto))).toBe('{"__proto__":{"password":"[redacted]"},"constructor":1}')
  let bottomless: unknown = canary
  for (let n = 0; n < 5000; n++) bottomless = { next: bottomless }
  expect(JSON.stringify(redact.data(bottomless))).toContain('too deep')
})

test('a preview is cut anywhere, and leaks nowhere', () => {
  const whole = JSON.stringify({
    a: 1,
    password: `${canary}"\\`,
    list: [1, { token: { deep: [canary, '}'] } }],
    cents: 5,
    note: canary.slice(0, 3),
  })
  for (let length = 0; length <= whole.length; length++)
    expect(redact.preview(whole.slice(0, length))).not.toContain('canary')
  expect(JSON.parse(redact.preview(whole))).toEqual({
    a: 1,
    password: hidden,
    list: [1, { token: hidden }],
    cents: 5,
    note: 'can',
  })
})

test('sentences lose what stands behind a key, and the credentials of addresses', () => {
  for (const text of [
    `login failed: password=${canary}`,
    `token: ${canary}, retry`,
    `Authorization: Bearer ${canary}`,
    `connect postgres://app:${canary}@db/shop`,
    `{"apiKey":"${canary}"} rejected`,
  ]) {
    expect(redact.text(text)).toContain(hidden)
    expect(redact.text(text)).not.toContain(canary)
  }
  expect(redact.text('the order 7 of tenant: acme failed')).toBe('the order 7 of tenant: acme failed')
})

test('what was hidden once is hidden in every sentence about the same job', () => {
  const secrets = new Set<string>()
  redact.data({ password: canary, pin: 1, nested: { token: ['second-secret'] } }, secrets)
  expect(redact.text(`could not use ${canary} nor second-secret`, secrets)).toBe(
    `could not use ${hidden} nor ${hidden}`,
  )
})

test('keys and rules of your own come on top, and `false` takes all away', () => {
  const own = createRedactor({
    keys: ['iban', /^ssn$/i],
    value: (value, path) => (path.at(-1) === 'email' ? '***' : value),
  })
  expect(own.data({ iban: canary, SSN: canary, ssnCheck: 1, email: 'a@b', password: canary })).toEqual({
    iban: hidden,
    SSN: hidden,
    ssnCheck: 1,
    email: '***',
    password: hidden,
  })
  expect(createRedactor(false).data({ password: canary })).toEqual({ password: canary })
})
