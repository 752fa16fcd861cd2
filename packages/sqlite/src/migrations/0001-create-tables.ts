import type { Tables } from '../tables.ts'

/**
 * A plain job (created ready, run once, ended) touches four tables: `job` is written at its creation and never again,
 * `ready` and `lease` are narrow and only ever inserted into and deleted from, `done` is one row at the end; its history
 * is read out of these. Whatever else happens to a job makes it rare: its changing part then stands in `more`, its
 * states in `history`, and only then do edges, keys, gates and the like cost anything.
 *
 * Columns without a type keep text as text and bytes as bytes.
 */
export const createTables = (t: Tables): readonly string[] => [
  `create table ${t.word} (n integer primary key, kind text not null, text text not null, unique (kind, text))`,

  // Row 0 is the storage itself: its counter of places, and how often a queue was configured.
  `create table ${t.queue} (n integer primary key, name text not null unique, seq integer not null default 0,
    revision integer not null default 0, full_at real not null default 0,
    awaiting integer not null default 0, scheduled integer not null default 0, ready integer not null default 0,
    active integer not null default 0, parked integer not null default 0, succeeded integer not null default 0,
    failed integer not null default 0, deleted integer not null default 0, retrying integer not null default 0,
    config text)`,
  `insert into ${t.queue} (n, name) values (0, '')`,

  `create table ${t.job} (id text primary key, queue integer, name integer, version integer, priority integer,
    seq integer, created integer, state integer, by text, cold text, preview text, payload) without rowid`,
  `create table ${t.ready} (queue integer, priority integer, seq integer, id text, at integer, name integer,
    rare integer, kept integer, primary key (queue, priority, seq)) without rowid`,
  // What is rare is listed out of \`more\`.
  `create index ${t.ready}_at on ${t.ready} (at, id) where rare = 0`,
  `create table ${t.lease} (session integer, id text, call integer, queue integer, name integer, priority integer,
    seq integer, at integer, ready_at integer, state integer, rare integer, kept integer, extra integer,
    primary key (session, id)) without rowid`,
  `create table ${t.done} (id text primary key, phase integer, state integer, at integer, session integer,
    call integer, ended_by integer, server integer, claimed integer, claim_state integer, ready_at integer,
    ran real, remove_at integer, custom integer, queue integer, reason text, error text, error_preview text, data)
    without rowid`,
  `create index ${t.done}_at on ${t.done} (phase, at, id)`,
  `create index ${t.done}_remove on ${t.done} (remove_at) where custom = 1 and remove_at is not null`,
  `create index ${t.done}_error on ${t.done} (error, at, id) where error is not null`,

  `create table ${t.more} (id text primary key, phase integer, at integer, queue integer, priority integer, seq integer,
    n integer, state text, reason text, error text, error_preview text, by text, command text, attempt integer,
    crashes integer, ready_at integer, due_at integer, remove_at integer, expires_at integer, waited integer, ran real,
    session integer, call integer, claimed integer, parked_for text, last_error text, rest text, progress)
    without rowid`,
  `create index ${t.more}_at on ${t.more} (phase, at, id)`,
  `create index ${t.more}_remove on ${t.more} (remove_at) where remove_at is not null`,
  `create index ${t.more}_expires on ${t.more} (expires_at) where expires_at is not null`,
  `create index ${t.more}_parked on ${t.more} (queue, priority, seq) where phase = 4`,
  `create index ${t.more}_error on ${t.more} (last_error, at, id) where last_error is not null`,
  `create table ${t.history} (id text, n integer, state text, phase integer, at integer, attempt integer, by text,
    command text, reason text, error text, error_preview text, data, primary key (id, n)) without rowid`,
  `create table ${t.log} (id text, n integer, at integer, attempt integer, text, primary key (id, n)) without rowid`,
  `create table ${t.tag} (tag text, id text, primary key (tag, id)) without rowid`,

  `create table ${t.due} (queue integer, at integer, born integer, id text, primary key (queue, at, born, id)) without rowid`,
  `create table ${t.edge} (parent text, n integer, child text, mask integer, open integer, owed integer,
    primary key (parent, n)) without rowid`,
  `create index ${t.edge}_child on ${t.edge} (child)`,
  `create index ${t.edge}_owed on ${t.edge} (owed, n) where owed is not null`,
  `create table ${t.owed} (n integer primary key, parent text, phase integer, met integer)`,
  `create table ${t.uniq} (key text primary key, id text, expires_at integer) without rowid`,

  `create table ${t.gate} (key text primary key, used integer not null default 0, full_at real not null default 0,
    wake_at integer, turn integer not null default 0) without rowid`,
  `create index ${t.gate}_wake on ${t.gate} (wake_at) where wake_at is not null`,
  `create table ${t.hold} (key text, id text, primary key (key, id)) without rowid`,
  `create table ${t.line} (gate text, queue integer, offered integer not null default 0, turn integer not null,
    primary key (gate, queue)) without rowid`,
  `create table ${t.sleeper} (gate text, queue integer, limits text, priority integer, seq integer, id text,
    primary key (gate, queue, limits, priority, seq)) without rowid`,

  `create table ${t.session} (n integer primary key, id text not null unique, server text not null, ttl integer not null,
    info, opened integer not null, seen integer not null, suspect integer, call integer not null, buried integer not null,
    until integer)`,
  `create table ${t.signal} (session integer, id text, call integer, reason text, grace integer, voided integer,
    primary key (session, id, call)) without rowid`,

  `create table ${t.stub} (id text primary key, phase integer, commands text, ended text, until integer) without rowid`,
  `create index ${t.stub}_until on ${t.stub} (until)`,

  `create table ${t.schedule} (id text primary key, version integer not null, look_at integer, owner text, record text,
    spec, payload) without rowid`,
  `create index ${t.schedule}_look on ${t.schedule} (look_at, id) where look_at is not null`,
  `create table ${t.run} (schedule text, n integer, job text, at integer, phase integer, ran real,
    primary key (schedule, n)) without rowid`,
  `create table ${t.lock} (name text primary key, owner text, fence integer, expires_at integer) without rowid`,

  // step: 0 minutes, 1 hours, 2 days; every event is counted in exactly one row.
  `create table ${t.bucket} (step integer, at integer, name integer, queue integer, created integer, ok integer,
    failed integer, retried integer, run text, wait text, primary key (step, at, name, queue)) without rowid`,
  `create table ${t.fault} (fingerprint text primary key, preview text, names text, count integer, first_at integer,
    last_at integer, hours text, sample text) without rowid`,
  `create index ${t.fault}_last on ${t.fault} (last_at, fingerprint)`,
]
