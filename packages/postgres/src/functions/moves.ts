import { defaultKeepMs, entered } from '@q/core/storage'
import { flag } from '../flags.ts'
import { phase } from '../phases.ts'
import { stored } from '../stored-state.ts'
import { literal } from './literal.ts'
import { steady } from './steady.ts'

/** All of \`done\`, in its order. */
const doneColumns =
  'id, at, claimed_at, call, done_call, remove_at, session, queue, name, priority, attempt, crashes, n, flags, claim_state, waited, ran, phase, state, data, error'

/**
 * What every slow path is made of: find a job and keep it where it is (`find_v1`), move it (`enter_v1`), and settle
 * what the move means to others (`settle_v1`). A plain job's claim and completion do not come here.
 */
export const moves = (q: string): string => /* sql */ `
create type ${q}.spot as (
  id uuid, phase smallint, queue int, name int, priority int, seq bigint, at bigint, due_at bigint, attempt int, crashes int, n int, flags int,
  error text, parked_for text, aside boolean, session int, call bigint, ready_at bigint, claim_state int, waited real, ran real);

create function ${q}.now_ms() returns bigint language sql volatile as
  $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint $$;

/*
 * Strictly growing, and growing by more than any list is long: items of one call take their places from one. Whoever has
 * taken a place is a running transaction to everybody else until its jobs can be seen.
 */
create function ${q}.next_place() returns bigint language sql volatile as
  $$ select nextval('${literal(q)}.place') * 4096 from pg_current_xact_id() $$;

/* Said before a job becomes ready at a place it had before: claims then begin at the front again. */
create function ${q}.steps_back() returns void language sql volatile as
  $$ select nextval('${literal(q)}.back') from pg_current_xact_id() $$;

/* What the caller should wake once this has been committed; gone with the transaction. */
create function ${q}.wakes(p_topic text) returns void language plpgsql volatile as $$
declare v text := coalesce(current_setting('q.topics', true), '');
begin
  if position(p_topic || chr(10) in v) = 0 then perform set_config('q.topics', v || p_topic || chr(10), true); end if;
end $$;

create function ${q}.session_key(p_session text) returns bigint language sql immutable as
  $$ select hashtextextended('${literal(q)} session ' || p_session, 0) $$;
create function ${q}.gate_lock(p_key text) returns bigint language sql immutable as
  $$ select hashtextextended('${literal(q)} gate ' || p_key, 0) $$;

/*
 * Ids of about a minute share a bucket, and a batch keeps to one: so the batches that may hold an id are few, whatever
 * else ended together with it.
 */
create function ${q}.bucket_end(p_id uuid) returns uuid language sql immutable as
  $$ select (left(p_id::text, 8) || '-ffff-ffff-ffff-ffffffffffff')::uuid $$;

/* Plain successes as rows of done. */
create view ${q}.packed as
  select u.id, b.at, b.claimed_at, b.call, b.done_call, b.at + ${defaultKeepMs.succeeded} as remove_at, b.session, b.queue, u.name, b.priority, b.attempt,
    b.crashes, b.n, b.flags, b.claim_state, u.waited, u.ran, ${phase.succeeded}::smallint as phase, b.state, u.data, null::text as error, b.k, b.first, b.last
  from ${q}.batch b cross join lateral unnest(b.ids, b.names, b.waits, b.runs, b.data) u(id, name, waited, ran, data);

/* The row of a final job, packed or not. */
create function ${q}.done_v1(p_id uuid) returns setof ${q}.done language sql stable as $$
  select * from ${q}.done where id = p_id
  union all
  select ${doneColumns} from ${q}.packed where last between p_id and ${q}.bucket_end(p_id) and first <= p_id and id = p_id
$$;

/* Gives all of the batch that holds this job rows of their own. */
create function ${q}.unpack_v1(p_id uuid) returns void language plpgsql volatile ${steady} as $$
declare b ${q}.batch;
begin
  select * into b from ${q}.batch where last between p_id and ${q}.bucket_end(p_id) and first <= p_id and p_id = any (ids) for update;
  if not found then return; end if;
  insert into ${q}.done (${doneColumns}) select ${doneColumns} from ${q}.packed where at = b.at and k = b.k;
  delete from ${q}.batch where at = b.at and k = b.k;
end $$;

/*
 * The row that says where a job stands, locked. A job on the move is in no place we look at only if it overtakes us, so
 * we look again.
 */
create function ${q}.find_v1(p_id uuid) returns ${q}.spot language plpgsql volatile as $$
declare s ${q}.spot;
begin
  for i in 1 .. 50 loop
    select id, phase, queue, name, priority, seq, at, due_at, attempt, crashes, n, flags, error, parked_for, aside,
      null, null, null, null, waited, ran into s from ${q}.pending where id = p_id for update;
    if found then return s; end if;
    select id, ${phase.active}, queue, name, priority, seq, at, null, attempt, crashes, n, flags, null, parked_for, false,
      session, call, ready_at, claim_state, at - ready_at, null into s from ${q}.lease where id = p_id for update;
    if found then return s; end if;
    select id, phase, queue, name, priority, null, at, null, attempt, crashes, n, flags, error, null, false,
      session, call, null, claim_state, waited, ran into s from ${q}.done where id = p_id for update;
    if found then return s; end if;
    perform 1 from ${q}.job where id = p_id;
    if not found then return null; end if;
    perform ${q}.unpack_v1(p_id);
  end loop;
  raise exception 'job % moved too often to be caught', p_id using errcode = '40001';
end $$;

create function ${q}.claim_record(p_n int, p_at bigint, p_attempt int, p_session int, p_state int) returns jsonb language plpgsql stable as $$
begin
  return (select c.body || jsonb_build_object('n', p_n, 'at', p_at, 'attempt', p_attempt, 'by', s.server)
  from ${q}.claim_state c, ${q}.session s where c.num = p_state and s.num = p_session);
end $$;

create function ${q}.creation_record(j ${q}.job) returns jsonb language plpgsql stable as $$
begin
  return (select coalesce(j.rare->'st', '{"name":"enqueued","phase":${phase.ready}}')
    || jsonb_build_object('n', 1, 'at', j.created_at, 'attempt', 0, 'by', coalesce(j."by", '')));
end $$;

/* The two records of a plain success. */
create function ${q}.run_records(d ${q}.done) returns jsonb language plpgsql stable as $$
begin
  return (select jsonb_build_array(
    ${q}.claim_record(d.n - 1, d.claimed_at, d.attempt, d.session, d.claim_state),
    jsonb_strip_nulls(jsonb_build_object('n', d.n, 'at', d.at, 'attempt', d.attempt, 'by', s.server, 'name', coalesce(d.state, 'succeeded'),
      'phase', d.phase, 'data', d.data)))
  from ${q}.session s where s.num = d.session);
end $$;

/* The record of the state a job is in. */
create function ${q}.present_record(p_id uuid, p_phase smallint, p_n int, p_at bigint, p_attempt int, p_session int, p_claim_state int) returns jsonb language plpgsql stable as $$
begin
  return (select case
    when p_phase = ${phase.active} then ${q}.claim_record(p_n, p_at, p_attempt, p_session, p_claim_state)
    when p_claim_state is not null then (select ${q}.run_records(d)->1 from ${q}.done_v1(p_id) d)
    when p_n = 1 then (select ${q}.creation_record(j) from ${q}.job j where j.id = p_id)
    else (select h.records->-1 from ${q}.history h where h.id = p_id and h.n = p_n) end);
end $$;

/* Gates are locked in the order of their lock numbers, before anything is released. */
create function ${q}.lock_gates_v1(p_ids uuid[]) returns void language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(l) from (
    select distinct ${q}.gate_lock(key) as l from ${q}.gate_hold where id = any (p_ids) order by 1) k;
end $$;

/*
 * A token bucket is one number, the instant at which it will be full again: each token taken moves it on by one
 * interval, and jobs with different rates may read the same bucket.
 */
create function ${q}.tokens_left(p_max int, p_per float8, p_full float8, p_now bigint) returns int language sql immutable as
  $$ select greatest(0, floor((p_per - greatest(0, p_full - p_now)) * p_max / p_per + 1e-6))::int $$;
create function ${q}.token_taken(p_max int, p_per float8, p_full float8, p_now bigint, p_n int) returns float8 language sql immutable as
  $$ select greatest(p_full, p_now) + p_n * p_per / p_max $$;
create function ${q}.next_token_at(p_max int, p_per float8, p_full float8, p_now bigint) returns bigint language sql immutable as
  $$ select greatest(p_now + 1, ceil(p_full - p_per + (${q}.tokens_left(p_max, p_per, p_full, p_now) + 1) * p_per / p_max - 1e-6)::bigint) $$;

/*
 * Puts waiters of a gate that has room back at their places: of at most eight queues, taken in rotation, as many as
 * there is room by their own limit. The caller holds the gate's lock.
 */
create function ${q}.offer_v1(p_key text, p_now bigint) returns int language plpgsql volatile as $$
declare
  g ${q}.gate; w ${q}.gate_wait; v_used int; v_queue int; v_turn int; v_wrapped boolean := false; v_start int; v_room int; v_moved int := 0;
  v_ids uuid[]; v_open bigint; v_tokens int; v_opens bigint;
begin
  perform 1 from ${q}.gate_wait where key = p_key and not offered limit 1;
  if not found then return 0; end if;
  select * into g from ${q}.gate where key = p_key;
  select count(*) into v_used from ${q}.gate_hold where key = p_key;
  v_turn := coalesce(g.turn, 0); v_start := v_turn;
  for i in 1 .. 8 loop
    select queue into v_queue from ${q}.gate_wait where key = p_key and not offered and queue > v_turn order by queue limit 1;
    if not found and not v_wrapped then
      v_wrapped := true; v_turn := -1;
      select queue into v_queue from ${q}.gate_wait where key = p_key and not offered and queue > v_turn order by queue limit 1;
    end if;
    exit when v_queue is null or (v_wrapped and v_queue > v_start);
    v_turn := v_queue;
    select * into w from ${q}.gate_wait where key = p_key and queue = v_queue and not offered order by priority, seq limit 1;
    v_room := coalesce(w.most, 1000) - v_used - (select count(*) from ${q}.gate_wait where key = p_key and queue = v_queue and offered);
    if w.rate_max is not null then
      v_tokens := ${q}.tokens_left(w.rate_max, w.rate_per, coalesce(g.full_at, 0), p_now);
      v_room := least(v_room, v_tokens);
      v_open := ${q}.next_token_at(w.rate_max, w.rate_per, coalesce(g.full_at, 0), p_now);
      v_opens := least(coalesce(v_opens, v_open), v_open);
    end if;
    if v_room > 0 then
      perform ${q}.steps_back();
      select array_agg(id) into v_ids from (
        select id from ${q}.gate_wait where key = p_key and queue = v_queue and not offered order by priority, seq limit v_room) x;
      update ${q}.gate_wait set offered = true where id = any (v_ids);
      update ${q}.pending set aside = false where id = any (v_ids);
      v_moved := v_moved + cardinality(v_ids);
      perform ${q}.wakes('q:' || v_queue);
    end if;
  end loop;
  insert into ${q}.gate (key, turn, opens_at) values (p_key, v_turn, v_opens)
    on conflict (key) do update set turn = excluded.turn, opens_at = excluded.opens_at;
  return v_moved;
end $$;

/* An error that is not the last one of its step: that one is counted with the step itself. */
create function ${q}.failed_v1(p_state jsonb, s ${q}.spot, p_at bigint) returns void language plpgsql volatile as $$
begin
  if p_state ? 'fingerprint' then
    insert into ${q}.tally (at, queue, name, d, fingerprint, preview, sample)
      values (p_at, s.queue, s.name, '{0,0,0,0,0,0,0,0}', p_state->>'fingerprint', p_state->>'preview', s.id);
  end if;
end $$;

/*
 * Moves a job whose row is locked. p_how: command, due, queue, priority, keepPlace, attempt, crashes, flags, parkedFor,
 * keep {ms}, ran, doneCall. Whatever hangs on leaving the old phase or entering the new one happens here; what it means
 * to children is written down as owed and settled by the caller.
 */
create function ${q}.enter_v1(s ${q}.spot, p_now bigint, p_by text, p_to jsonb, p_via jsonb, p_how jsonb) returns ${q}.spot
language plpgsql volatile as $$
declare
  v_at bigint := greatest(p_now, s.at);
  v_to smallint := (p_to->>'phase')::smallint;
  v_records jsonb := '[]'; v_one jsonb; v_n int := s.n; v_failed jsonb; v_error text; v_retried int := 0;
  v_attempt int := coalesce((p_how->>'attempt')::int, s.attempt);
  v_queue int := coalesce((p_how->>'queue')::int, s.queue);
  v_flags int := coalesce((p_how->>'flags')::int, s.flags) & ~${flag.prefetched | flag.busy};
  v_ran real := (p_how->>'ran')::real;
  v_remove bigint; v_keep jsonb; v_key text; v_keys text[]; d ${q}.done; v_seq bigint;
  v_d int[] := '{0,0,0,0,0,0,0,0}'; v_old_d int[] := '{0,0,0,0,0,0,0,0}';
  r ${q}.spot := s;
begin
  -- out of the old place
  if s.phase = ${phase.active} then
    delete from ${q}.lease where id = s.id;
    v_records := jsonb_build_array(${q}.claim_record(s.n, s.at, s.attempt, s.session, s.claim_state));
    if s.flags & ${flag.gated} <> 0 then
      with gone as (delete from ${q}.gate_hold where id = s.id returning key) select array_agg(key order by key) into v_keys from gone;
    end if;
  elsif s.phase < ${phase.active} or s.phase = ${phase.parked} then
    delete from ${q}.pending where id = s.id;
    if s.flags & ${flag.gated} <> 0 then
      delete from ${q}.gate_wait where id = s.id and offered returning key into v_key;
      if found and pg_try_advisory_xact_lock(${q}.gate_lock(v_key)) then perform ${q}.offer_v1(v_key, p_now); end if;
      delete from ${q}.gate_wait where id = s.id;
    end if;
    if s.phase = ${phase.awaiting} then update ${q}.edge set open = false where child = s.id and open; end if;
  else
    delete from ${q}.done where id = s.id returning * into d;
    if d.claim_state is not null then
      insert into ${q}.history (id, n, session, call, done_call, records) values (s.id, d.n, d.session, d.call, d.done_call, ${q}.run_records(d));
    end if;
  end if;

  -- what is told about it
  for v_one in select * from jsonb_array_elements(coalesce(p_via, '[]')) loop
    v_n := v_n + 1;
    v_records := v_records || (v_one || jsonb_build_object('n', v_n, 'at', v_at, 'attempt', s.attempt, 'by', p_by));
    if (v_one->>'phase')::int = ${phase.failed} then
      perform ${q}.failed_v1(v_failed, s, v_at);
      v_failed := v_one;
      if v_to < ${phase.succeeded} then v_retried := 1; end if;
    end if;
  end loop;
  v_n := v_n + 1;
  v_records := v_records || (p_to || jsonb_build_object('n', v_n, 'at', v_at, 'attempt', v_attempt, 'by', p_by)
    || case when p_how ? 'command' then jsonb_build_object('command', p_how->'command') else '{}' end);
  if v_to = ${phase.failed} then
    perform ${q}.failed_v1(v_failed, s, v_at);
    v_failed := p_to;
  end if;
  insert into ${q}.history (id, n, session, call, done_call, records)
    values (s.id, v_n, s.session, s.call, (p_how->>'doneCall')::bigint, v_records);
  v_error := case when v_to < ${phase.succeeded} then coalesce(v_failed->>'fingerprint', s.error) else v_failed->>'fingerprint' end;

  r.phase := v_to; r.at := v_at; r.n := v_n; r.attempt := v_attempt; r.queue := v_queue;
  r.priority := coalesce((p_how->>'priority')::int, s.priority);
  r.crashes := coalesce((p_how->>'crashes')::int, s.crashes);
  r.error := v_error; r.aside := false; r.session := null; r.call := null; r.claim_state := null; r.due_at := null; r.parked_for := null;
  r.ran := coalesce(v_ran, s.ran);

  -- into the new one
  if v_to >= ${phase.succeeded} then
    if v_flags & ${flag.wished} <> 0 then delete from ${q}.wish where id = s.id; v_flags := v_flags & ~${flag.wished}; end if;
    v_flags := v_flags & ~${flag.adopted};
    v_keep := coalesce(p_how->'keep', case when v_flags & ${flag.keeps} <> 0 then
      (select jsonb_build_object('ms', j.rare->'keep'->(array['succeeded','failed','deleted'])[v_to - 4]) from ${q}.job j
        where j.id = s.id and j.rare->'keep' ? (array['succeeded','failed','deleted'])[v_to - 4]) end);
    v_remove := case when v_keep is not null then v_at + (v_keep->>'ms')::float8::bigint
      when v_to = ${phase.failed} then ${defaultKeepMs.failed === null ? 'null' : `v_at + ${defaultKeepMs.failed}`}
      when v_to = ${phase.succeeded} then ${defaultKeepMs.succeeded === null ? 'null' : `v_at + ${defaultKeepMs.succeeded}`}
      else ${defaultKeepMs.deleted === null ? 'null' : `v_at + ${defaultKeepMs.deleted}`} end;
    insert into ${q}.done (id, at, claimed_at, call, done_call, remove_at, session, queue, name, priority, attempt, crashes, n, flags, claim_state,
        waited, ran, phase, state, data, error)
      values (s.id, v_at, case when s.phase = ${phase.active} then s.at end, s.call, (p_how->>'doneCall')::bigint, v_remove, s.session, v_queue, s.name,
        r.priority, v_attempt, r.crashes, v_n, v_flags, null, s.waited, r.ran, v_to, null, null, v_error);
    if v_flags & ${flag.uniqueUntilFinal | flag.uniqueUntilClaimed} <> 0 then delete from ${q}.uniq u using ${q}.job j
      where j.id = s.id and u.key = j.rare->'unique'->>'key' and u.id = s.id; end if;
    if v_flags & ${flag.occurrence} <> 0 then update ${q}.recurring_run u set phase = v_to, ran = r.ran from ${q}.job j
      where j.id = s.id and u.recurring = j.rare->'recurring'->>'id' and u.at = (j.rare->'recurring'->>'at')::float8::bigint and u.job = s.id; end if;
    if v_flags & ${flag.parent} <> 0 then
      insert into ${q}.owed (job, is_child, ending, upto, at)
        select s.id, false, v_to, max(k), v_at from ${q}.edge where parent = s.id and open
          and (v_to <> ${phase.failed} or mask & 2 <> 0) having count(*) > 0;
    end if;
  else
    r.parked_for := case when v_to = ${phase.parked} then p_how->>'parkedFor' end;
    r.due_at := case when v_to = ${phase.scheduled} then coalesce((p_how->>'due')::float8::bigint, v_at) end;
    r.seq := case when (p_how->'keepPlace') = 'true' and s.seq is not null then s.seq else ${q}.next_place() end;
    if v_to = ${phase.ready} then v_flags := v_flags & ~${flag.adopted}; end if;
    if v_to = ${phase.ready} and r.seq = s.seq then perform ${q}.steps_back(); end if;
    insert into ${q}.pending (id, seq, at, due_at, expires_at, queue, name, priority, attempt, crashes, n, flags, phase, aside, waited, ran, error, parked_for)
      values (s.id, r.seq, v_at, r.due_at, case when v_flags & ${flag.expires} <> 0 and v_attempt = 0 then (select expires_at from ${q}.job where id = s.id) end, v_queue, s.name, r.priority, v_attempt, r.crashes, v_n, v_flags, v_to, false, s.waited, r.ran, v_error, r.parked_for);
    if v_to <= ${phase.ready} then perform ${q}.wakes('q:' || v_queue); end if;
    if s.phase >= ${phase.succeeded} and v_flags & ${flag.occurrence} <> 0 then update ${q}.recurring_run u set phase = v_to from ${q}.job j
      where j.id = s.id and u.recurring = j.rare->'recurring'->>'id' and u.at = (j.rare->'recurring'->>'at')::float8::bigint and u.job = s.id; end if;
  end if;
  r.flags := v_flags;

  -- what is counted
  if v_queue <> s.queue then
    v_old_d[s.phase + 1] := -1; v_d[v_to + 1] := 1;
    insert into ${q}.tally (at, queue, name, d, retrying, retried, runs) values (v_at, s.queue, s.name, v_old_d,
      case when s.phase = ${phase.scheduled} and s.attempt > 0 then -1 else 0 end,
      v_retried, case when v_ran is not null then array[${q}.histogram_index(v_ran)] end);
    v_retried := 0; v_ran := null;
  else
    v_d[s.phase + 1] := v_d[s.phase + 1] - 1; v_d[v_to + 1] := v_d[v_to + 1] + 1;
  end if;
  insert into ${q}.tally (at, queue, name, d, retrying, ok, bad, retried, runs, fingerprint, preview, sample) values (v_at, v_queue, s.name, v_d,
    case when v_to = ${phase.scheduled} and v_attempt > 0 then 1 else 0 end
      - case when v_queue = s.queue and s.phase = ${phase.scheduled} and s.attempt > 0 then 1 else 0 end,
    case when v_to = ${phase.succeeded} then 1 else 0 end, case when v_to = ${phase.failed} then 1 else 0 end, v_retried,
    case when v_ran is not null then array[${q}.histogram_index(v_ran)] end, v_failed->>'fingerprint', v_failed->>'preview', case when v_failed ? 'fingerprint' then s.id end);
  perform ${q}.wakes('j:' || s.id);

  -- the gates it held
  if v_keys is not null then
    foreach v_key in array v_keys loop perform ${q}.offer_v1(v_key, p_now); end loop;
  end if;

  if v_to = ${phase.scheduled} and r.due_at <= v_at then
    return ${q}.enter_v1(r, p_now, '', '${stored(entered.promoted)}', null, '{}');
  end if;
  return r;
end $$;

create function ${q}.histogram_index(p_ms real) returns smallint language sql immutable as
  $$ select case when p_ms < 1 then 0 else least(99, 1 + floor(4 * ln(p_ms::float8) / ln(2::float8) + 1e-9)) end::smallint $$;

/* An awaiting child whose last edge is met. */
create function ${q}.release_v1(s ${q}.spot, p_now bigint, p_reason text, p_keep_place boolean) returns void language plpgsql volatile as $$
declare v_rare jsonb;
begin
  select rare into v_rare from ${q}.job where id = s.id;
  perform ${q}.enter_v1(s, p_now, '',
    coalesce(v_rare->'then', jsonb_build_object('name', 'enqueued', 'phase', ${phase.ready}, 'reason', p_reason)), null,
    jsonb_build_object('keepPlace', p_keep_place, 'due', coalesce((v_rare->>'at')::float8, p_now + coalesce((v_rare->>'delay')::float8, 0))));
end $$;

/* Settles what ended parents owe to their children, at most p_budget children. p_own: only what this transaction owes. */
create function ${q}.settle_v1(p_budget int, p_own boolean, p_now bigint, out settled int, out released int) language plpgsql volatile as $$
declare o ${q}.owed; e ${q}.edge; c ${q}.spot; p ${q}.spot; v_end text; v_bit int; v_full boolean;
begin
  settled := 0; released := 0;
  loop
    if p_own then
      select * into o from ${q}.owed where tx = pg_current_xact_id() order by k limit 1;
    else
      select * into o from ${q}.owed order by k limit 1 for update skip locked;
    end if;
    exit when not found or settled >= p_budget;
    v_full := false;
    if o.is_child then
      c := ${q}.find_v1(o.job);
      if c.phase = ${phase.awaiting} then
        released := released + ${q}.decide_child_v1(c, p_now, false);
        settled := settled + 1;
      end if;
    else
      v_end := (array['succeeded','failed','deleted'])[o.ending - 4]; v_bit := (array[1,2,4])[o.ending - 4];
      for e in select * from ${q}.edge where parent = o.job and open and k <= o.upto and (o.ending <> ${phase.failed} or mask & 2 <> 0) order by k limit p_budget - settled + 1 loop
        if settled >= p_budget then v_full := true; exit; end if;
        settled := settled + 1;
        c := ${q}.find_v1(e.child);
        if c.phase is distinct from ${phase.awaiting} then
          update ${q}.edge set open = false where child = e.child and parent = e.parent;
        elsif e.mask & v_bit <> 0 then
          update ${q}.edge set open = false where child = e.child and parent = e.parent;
          perform 1 from ${q}.edge where child = e.child and open limit 1;
          if not found then
            perform ${q}.release_v1(c, p_now, 'parent ' || ${q}.id_text(o.job) || ' ' || v_end, false);
            released := released + 1;
          end if;
        else
          perform ${q}.enter_v1(c, p_now, '', jsonb_build_object('name', 'deleted', 'phase', ${phase.deleted}, 'reason', 'parent ' || ${q}.id_text(o.job) || ' ' || v_end), null, '{}');
        end if;
      end loop;
    end if;
    exit when v_full;
    delete from ${q}.owed where k = o.k;
  end loop;
end $$;

/* An awaiting child (locked) against the present state of its parents. 1 when it was released. */
create function ${q}.decide_child_v1(c ${q}.spot, p_now bigint, p_keep_place boolean) returns int language plpgsql volatile as $$
declare e record; p ${q}.spot; v_bit int; v_last text;
begin
  for e in select * from ${q}.edge where child = c.id and open order by parent loop
    p := ${q}.find_v1(e.parent);
    if p.id is null or e.mask = 0 then
      if e.missing_met then
        update ${q}.edge set open = false where child = c.id and parent = e.parent;
        v_last := 'parent ' || ${q}.id_text(e.parent) || ' is gone';
      else
        perform ${q}.enter_v1(c, p_now, '', jsonb_build_object('name', 'deleted', 'phase', ${phase.deleted}, 'reason', 'parent ' || ${q}.id_text(e.parent) || ' is gone'), null, '{}');
        return 0;
      end if;
    elsif p.phase < ${phase.succeeded} or (p.phase = ${phase.failed} and e.mask & 2 = 0) then
      update ${q}.pending set flags = flags | ${flag.parent} where id = e.parent and flags & ${flag.parent} = 0;
      update ${q}.lease set flags = flags | ${flag.parent} where id = e.parent and flags & ${flag.parent} = 0;
      update ${q}.done set flags = flags | ${flag.parent} where id = e.parent and flags & ${flag.parent} = 0;
    else
      v_bit := (array[1,2,4])[p.phase - 4];
      v_last := 'parent ' || ${q}.id_text(e.parent) || ' ' || (array['succeeded','failed','deleted'])[p.phase - 4];
      if e.mask & v_bit = 0 then
        perform ${q}.enter_v1(c, p_now, '', jsonb_build_object('name', 'deleted', 'phase', ${phase.deleted}, 'reason', v_last), null, '{}');
        return 0;
      end if;
      update ${q}.edge set open = false where child = c.id and parent = e.parent;
    end if;
  end loop;
  perform 1 from ${q}.edge where child = c.id and open limit 1;
  if found then return 0; end if;
  perform ${q}.release_v1(c, p_now, v_last, p_keep_place);
  return 1;
end $$;

/* The id as people know it: 128 bits, two zeros before them, five bits a letter. */
create function ${q}.id_text(p_id uuid) returns text language plpgsql immutable as $$
begin
  return (select string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + substring(b from i * 5 + 1 for 5)::bit(5)::int, 1), '' order by i)
  from generate_series(0, 25) i, (select B'00' || ('x' || replace(p_id::text, '-', ''))::bit(128) as b) x);
end $$;
`
