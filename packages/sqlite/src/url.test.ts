import { describe, expect, test } from 'vitest'
import { type SqliteUrl, parseUrl } from './url.ts'

const read: readonly (readonly [url: string, means: SqliteUrl])[] = [
  ['sqlite:app.db', { path: 'app.db' }],
  ['sqlite:./app.db', { path: './app.db' }],
  ['sqlite:../data/app.db', { path: '../data/app.db' }],
  ['sqlite:data/app.db', { path: 'data/app.db' }],
  ['sqlite://app.db', { path: 'app.db' }],
  ['sqlite://./data/app.db', { path: './data/app.db' }],
  ['sqlite:/var/lib/app.db', { path: '/var/lib/app.db' }],
  ['sqlite:///var/lib/app.db', { path: '/var/lib/app.db' }],
  ['sqlite:////var/lib/app.db', { path: '/var/lib/app.db' }],
  ['SQLITE:app.db', { path: 'app.db' }],
  ['sqlite:my%20jobs.db', { path: 'my jobs.db' }],
  ['sqlite:my jobs.db', { path: 'my jobs.db' }],
  ['sqlite:caf\u00e9.db', { path: 'caf\u00e9.db' }],
  ['sqlite:a%23b.db', { path: 'a#b.db' }],
  ['sqlite:100%25.db', { path: '100%.db' }],
  ['sqlite:C:\\data\\app.db', { path: 'C:\\data\\app.db' }],
  ['sqlite:C:/data/app.db', { path: 'C:/data/app.db' }],
  ['sqlite:/C:/data/app.db', { path: 'C:/data/app.db' }],
  ['sqlite://C:/data/app.db', { path: 'C:/data/app.db' }],
  ['sqlite:///C:/data/app.db', { path: 'C:/data/app.db' }],
  ['sqlite::memory:', { path: ':memory:' }],
  ['sqlite://:memory:', { path: ':memory:' }],
  ['sqlite:///:memory:', { path: ':memory:' }],
  ['sqlite:app.db?namespace=mail', { path: 'app.db', namespace: 'mail' }],
  ['sqlite:///app.db?namespace=mail&durable=true', { path: '/app.db', namespace: 'mail', durable: true }],
  ['sqlite:app.db?durable=false', { path: 'app.db', durable: false }],
]

const refused: readonly string[] = [
  'sqlite:',
  'sqlite://',
  'sqlite:///',
  'sqlite:?durable=true',
  'sqlite3:app.db',
  'file:app.db',
  'app.db',
  'sqlite:app.db#main',
  'sqlite:app.db?mode=ro',
  'sqlite:app.db?durable=yes',
  'sqlite:50%.db',
  'sqlite:~/app.db',
  'sqlite:a%00b.db',
  ' sqlite:app.db',
]

describe('a URL of a SQLite storage', () => {
  for (const [url, means] of read) {
    test(`"${url}" is read as people mean it`, () => {
      expect(parseUrl(url)).toEqual(means)
    })
  }
  for (const url of refused) {
    test(`"${url}" is refused, not guessed at`, () => {
      expect(() => parseUrl(url)).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    })
  }
})
