import { literal } from '../functions/literal.ts'
import type { Migration } from './migration.ts'

/**
 * A job is one row of `job`, written once, and one narrow row that says where it stands: in `pending` while it waits, in
 * `lease` while it runs, in `done` when it is final. Nothing on the way of a plain job is updated; each move is a delete
 * and an insert, and whoever wants to keep a job where it is locks that row. Plain successes of one call share a row of
 * `batch`, until somebody wants to keep one of them: then each gets its row of `done`. What a job passed through stands
 * in `history`, except for the last run of a plain success, which its row of `done` or `batch` tells.
 */
export const createTables: Migration = {
  id: '0001-create-tables',
  sql: (q) => /* sql */ `
create sequence ${q}.place;
create sequence ${q}.back;
-- the first number a sequence gives is the one it has shown before: with that a first step back would go unseen
select nextval('${literal(q)}.back');
create sequence ${q}.fence;

create table ${q}.meta (one boolean primary key check (one), queues bigint not null, names bigint not null, gate_turn text not null default '')
  with (fillfactor = 50);
insert into ${q}.meta values (true, 0, 0);

create table ${q}.queue (
  num int generated always as identity primary key, name text collate "C" not null unique,
  paused jsonb, max_active int, rate_max int, rate_per float8, full_at float8 not null default 0,
  limited boolean generated always as (max_active is not null or rate_max is not null) stored);
create table ${q}.name (num int generated always as identity primary key, name text collate "C" not null unique);
create table ${q}.tag (name text collate "C" primary key, seen_at bigint not null);
create index tag_seen on ${q}.tag (seen_at);
create table ${q}.claim_state (num int generated always as identity primary key, body jsonb not null unique);

create table ${q}.job (
  id uuid primary key, created_at bigint not null, expires_at bigint, queue int not null, name int not null, version int not null,
  priority int not null, crash_limit int, payload text not null, preview text, by text, tags text[], params jsonb, rare jsonb);
create index job_tags on ${q}.job using gin (tags) where tags is not null;

create table ${q}.pending (
  id uuid primary key, seq bigint not null, at bigint not null, due_at bigint, expires_at bigint, queue int not null, name int not null, priority int not null,
  attempt int not null, crashes int not null, n int not null, flags int not null, phase smallint not null, aside boolean not null default false,
  waited real, ran real, error text, parked_for text)
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off,
    autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.2, autovacuum_analyze_threshold = 5000);
create index pending_ready on ${q}.pending (queue, priority, seq) where phase = 2 and not aside;
create index pending_aside on ${q}.pending (queue, priority, seq) where aside;
create index pending_due on ${q}.pending (due_at, seq) where phase = 1;
create index pending_queue_due on ${q}.pending (queue, due_at) where phase = 1;
create index pending_parked on ${q}.pending (queue, priority, seq) where phase = 4;
create index pending_listed on ${q}.pending (phase, at, id);
create index pending_expires on ${q}.pending (expires_at) where expires_at is not null;
create index pending_error on ${q}.pending (error, at, id) where error is not null;

create table ${q}.lease (
  id uuid primary key, call bigint not null, seq bigint not null, ready_at bigint not null, at bigint not null, session int not null,
  queue int not null, name int not null, priority int not null, attempt int not null, crashes int not null, n int not null, flags int not null,
  claim_state int not null, parked_for text, busy jsonb)
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);

create table ${q}.done (
  id uuid primary key, at bigint not null, claimed_at bigint, call bigint, done_call bigint, remove_at bigint,
  session int, queue int not null, name int not null, priority int not null, attempt int not null, crashes int not null, n int not null,
  flags int not null, claim_state int, waited real, ran real, phase smallint not null,
  state text, data text, error text)
  with (autovacuum_vacuum_insert_scale_factor = 0.2);
create index done_listed on ${q}.done (phase, at, id);
create index done_removed on ${q}.done (remove_at) where remove_at is not null;
create index done_error on ${q}.done (error, at, id) where error is not null;

-- first and last: the least and the greatest id, both of one bucket
create table ${q}.batch (
  at bigint not null, k bigint generated always as identity, claimed_at bigint not null, call bigint not null, done_call bigint not null,
  first uuid not null, last uuid not null, session int not null, queue int not null, priority int not null, attempt int not null, crashes int not null,
  n int not null, flags int not null, claim_state int not null, state text,
  ids uuid[] not null, names int[] not null, waits real[] not null, runs real[] not null, data text[] not null, primary key (at, k))
  with (autovacuum_vacuum_insert_scale_factor = 0.2);
create index batch_ids on ${q}.batch (last, first);

create table ${q}.history (
  id uuid not null, n int not null, session int, call bigint, done_call bigint, records jsonb not null, primary key (id, n));
create table ${q}.command (id uuid not null, k bigint generated always as identity, command text not null, primary key (id, k));
create table ${q}.extra (id uuid primary key, params jsonb, progress text, lines int not null default 0);
create table ${q}.log (id uuid not null, n int not null, at bigint not null, attempt int not null, call bigint not null, session int not null, line int not null, text text not null, primary key (id, n));
create table ${q}.stub (id uuid primary key, phase smallint not null, session int, call bigint, done_call bigint, commands text[], until bigint not null);
create index stub_until on ${q}.stub (until);

create table ${q}.wish (
  id uuid primary key, state jsonb not null, keep jsonb, by text not null, command text, grace float8);
create table ${q}.voided (session int not null, id uuid not null, call bigint not null, reason text, primary key (session, id, call));

create table ${q}.uniq (key text collate "C" primary key, id uuid not null, expires_at bigint);
create index uniq_expires on ${q}.uniq (expires_at) where expires_at is not null;
create table ${q}.edge (
  parent uuid not null, child uuid not null, k bigint generated always as identity, mask smallint not null, missing_met boolean not null,
  open boolean not null, primary key (child, parent));
create index edge_open on ${q}.edge (parent, k) where open;
create index edge_parent on ${q}.edge (parent, child);
create table ${q}.owed (
  k bigint generated always as identity primary key, tx xid8 not null default pg_current_xact_id(), job uuid not null, is_child boolean not null,
  ending smallint, upto bigint, at bigint not null);
create table ${q}.gate (key text collate "C" primary key, full_at float8 not null default 0, opens_at bigint, turn int not null default 0);
create index gate_opens on ${q}.gate (opens_at) where opens_at is not null;
create table ${q}.gate_hold (key text collate "C" not null, id uuid not null, primary key (key, id));
create index gate_hold_id on ${q}.gate_hold (id);
create table ${q}.gate_wait (
  key text collate "C" not null, queue int not null, priority int not null, seq bigint not null, id uuid primary key,
  most int, rate_max int, rate_per float8, offered boolean not null);
create index gate_wait_order on ${q}.gate_wait (key, queue, priority, seq) where not offered;
create index gate_wait_offered on ${q}.gate_wait (key, queue) where offered;

create table ${q}.session (
  num int generated always as identity primary key, id text collate "C" not null unique, server text not null, ttl float8 not null, info text not null,
  opened_at bigint not null, seen_at bigint not null, suspect_at bigint, last_call bigint not null default 0, state smallint not null default 0,
  ended_at bigint, claim_state int, claim_text text, replaces text, skip jsonb)
  with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index session_live on ${q}.session (state) where state < 2;

create table ${q}.tally (
  k bigint generated always as identity primary key, at bigint not null, queue int not null, name int not null, d int[] not null,
  retrying int not null default 0, created int not null default 0, ok int not null default 0, bad int not null default 0, retried int not null default 0,
  runs smallint[], waits smallint[], fingerprint text, preview text, sample uuid)
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
create table ${q}.tally_total (queue int primary key, d bigint[] not null, retrying bigint not null) with (fillfactor = 50);
create table ${q}.bucket (
  step smallint not null, at bigint not null, queue int not null, name int not null, created bigint not null, ok bigint not null, bad bigint not null,
  retried bigint not null, runs bigint[] not null, waits bigint[] not null, primary key (step, at, queue, name));
create table ${q}.failure (
  fingerprint text primary key, preview text not null, names int[] not null, count bigint not null, first_at bigint not null, last_at bigint not null, sample uuid not null);
create index failure_last on ${q}.failure (last_at, fingerprint);
create table ${q}.failure_hour (fingerprint text not null, hour bigint not null, count bigint not null, primary key (fingerprint, hour));

create table ${q}.recurring (
  id text collate "C" primary key, spec text not null, job jsonb not null, next_at bigint, last_at bigint, last_job uuid, version bigint not null, error text,
  paused jsonb, owner text collate "C", revision bigint, gone boolean not null default false,
  look_at bigint generated always as (case when gone or next_at is null then null when paused is null then next_at
    when paused->>'until' is null then null else greatest(next_at, (paused->>'until')::float8::bigint) end) stored);
create index recurring_look on ${q}.recurring (look_at, id) where look_at is not null;
create index recurring_owner on ${q}.recurring (owner, id);
create table ${q}.recurring_run (recurring text collate "C" not null, at bigint not null, job uuid not null, phase smallint not null, ran real, primary key (recurring, at, job));
create table ${q}.lock (name text collate "C" primary key, owner text not null, fence bigint not null, expires_at bigint not null);
create table ${q}.ear (id text primary key, topics text[] not null, seen_at bigint not null);
`,
}
