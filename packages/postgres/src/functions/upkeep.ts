import { defaultKeepMs, entered } from '@q/core/storage'
import { phase } from '../phases.ts'
import { stored } from '../stored-state.ts'

/** What has to happen by itself. All of it may run many times at once: rows that another call holds are passed over. */
export const upkeep = (q: string): string => /* sql */ `
create function ${q}.promote_v1(p_limit int, out moved int, out again boolean, out next_due bigint, out topics text) language plpgsql volatile as $$
declare v_now bigint := ${q}.now_ms(); v_base bigint; v_n int; v_id uuid; v_queues int[]; s ${q}.spot; v_key text; v_turn text; v_offered int := 0;
begin
  select settled into moved from ${q}.settle_v1(p_limit, false, v_now);
  if moved < p_limit then
    for v_id in select id from ${q}.pending where expires_at <= v_now order by expires_at limit p_limit - moved for update skip locked loop
      s := ${q}.find_v1(v_id);
      continue when s.phase >= ${phase.active} and s.phase <> ${phase.parked};
      perform ${q}.enter_v1(s, v_now, '', '${stored(entered.expired)}', null, '{}');
      perform ${q}.settle_v1(500, true, v_now);
      moved := moved + 1;
    end loop;
  end if;
  if moved < p_limit then
    v_base := ${q}.next_place();
    with due as materialized (
      select id, row_number() over (order by due_at, seq) as i from (
        select id, due_at, seq from ${q}.pending where phase = ${phase.scheduled} and due_at <= v_now order by due_at, seq limit p_limit - moved for update skip locked) x
    ), up as (
      update ${q}.pending p set phase = ${phase.ready}, seq = v_base + due.i, at = greatest(v_now, p.at), due_at = null, n = p.n + 1
      from due where p.id = due.id returning p.id, p.n, p.at, p.queue, p.name, p.attempt
    ), his as (
      insert into ${q}.history (id, n, records)
      select id, n, jsonb_build_array('${stored(entered.promoted)}'::jsonb || jsonb_build_object('n', n, 'at', at, 'attempt', attempt, 'by', '')) from up
    ), tal as (
      insert into ${q}.tally (at, queue, name, d, retrying)
      select v_now, queue, name, array[0, -count(*), count(*), 0, 0, 0, 0, 0], -count(*) filter (where attempt > 0) from up group by queue, name
    )
    select count(*), array_agg(distinct queue) into v_n, v_queues from up;
    perform ${q}.wakes('q:' || x) from unnest(v_queues) x;
    moved := moved + v_n;
  end if;

  -- gates that time has opened, then a round of the others, so that nobody sleeps because of an offer nobody takes
  for v_key in select key from ${q}.gate where opens_at <= v_now order by opens_at limit 200 loop
    if pg_try_advisory_xact_lock(${q}.gate_lock(v_key)) then
      update ${q}.gate set opens_at = null where key = v_key;
      v_offered := v_offered + ${q}.offer_v1(v_key, v_now);
    end if;
  end loop;
  perform 1 from ${q}.gate_wait where not offered limit 1;
  if found then
    select gate_turn into v_turn from ${q}.meta;
    for v_n in 1 .. 50 loop
      select key into v_key from ${q}.gate_wait where not offered and key > v_turn order by key limit 1;
      if not found then
        exit when v_turn = '';
        v_turn := ''; v_key := null;
        exit;
      end if;
      v_turn := v_key;
      if pg_try_advisory_xact_lock(${q}.gate_lock(v_key)) then v_offered := v_offered + ${q}.offer_v1(v_key, v_now); end if;
    end loop;
    update ${q}.meta set gate_turn = v_turn where gate_turn <> v_turn;
  end if;

  select min(due_at) into next_due from (select due_at from ${q}.pending where phase = ${phase.scheduled} order by due_at limit 1) x;
  again := next_due <= v_now;
  next_due := least(next_due, (select min(opens_at) from ${q}.gate where opens_at is not null), (select expires_at from ${q}.pending where expires_at is not null order by expires_at limit 1));
  perform 1 from ${q}.owed limit 1;
  if found then again := true; next_due := v_now; end if;
  again := coalesce(again, false);
  perform 1 from ${q}.tally offset 500 limit 1;
  if found then perform ${q}.fold_v1(2000, false); end if;
  topics := current_setting('q.topics', true);
end $$;

/* Two looks: the first only makes a silent session suspect, so that a pause of everything looks like the death of nobody. */
create function ${q}.recover_v1(p_limit int, out jobs uuid[], out sessions text[], out again boolean, out next_look bigint, out topics text) language plpgsql volatile as $$
declare v_now bigint := ${q}.now_ms(); s ${q}.session; r ${q}.session; v_ids uuid[]; v_num int;
begin
  jobs := '{}'; sessions := '{}'; again := false;
  for s in select * from ${q}.session where state = 1 or (state = 0 and seen_at <= v_now - ttl / 2) order by num loop
    if s.state = 0 and s.suspect_at is null then
      update ${q}.session set suspect_at = v_now where num = s.num and state = 0 and suspect_at is null and seen_at = s.seen_at;
      continue;
    end if;
    continue when s.state = 0 and v_now - s.suspect_at < s.ttl / 2;
    if cardinality(jobs) >= p_limit then again := true; exit; end if;
    continue when not pg_try_advisory_xact_lock(${q}.session_key(s.id));
    -- read again under the lock: it may have shown a sign of life, or be buried already
    select * into r from ${q}.session where num = s.num for update;
    continue when r.state = 2 or (r.state = 0 and (r.suspect_at is null or v_now - r.suspect_at < r.ttl / 2));
    v_ids := ${q}.hand_back_v1(s.num, p_limit - cardinality(jobs), v_now, true);
    jobs := jobs || v_ids;
    perform 1 from ${q}.lease where session = s.num limit 1;
    if found then
      update ${q}.session set state = 1 where num = s.num;
      again := true;
      exit;
    end if;
    update ${q}.session set state = 2, ended_at = v_now where num = s.num;
    delete from ${q}.voided where session = s.num;
    sessions := sessions || s.id;
    perform ${q}.wakes('s:' || s.id);
  end loop;
  -- claims of sessions that are buried: none should be there, and none may stay
  for v_num in select distinct l.session from ${q}.lease l left join ${q}.session t on t.num = l.session where t.num is null or t.state = 2 loop
    exit when cardinality(jobs) >= p_limit;
    jobs := jobs || ${q}.hand_back_v1(v_num, p_limit - cardinality(jobs), v_now, true);
  end loop;
  if again then next_look := v_now;
  else select min(coalesce(suspect_at, seen_at) + ttl / 2)::bigint into next_look from ${q}.session where state < 2; end if;
  topics := current_setting('q.topics', true);
end $$;

/* What hangs on jobs that are gone. */
create function ${q}.forget_v1(p_ids uuid[]) returns void language plpgsql volatile as $$
begin
  delete from ${q}.history where id = any (p_ids);
  delete from ${q}.command where id = any (p_ids);
  delete from ${q}.extra where id = any (p_ids);
  delete from ${q}.log where id = any (p_ids);
  delete from ${q}.edge where child = any (p_ids);
end $$;

/* Takes final jobs out with all that hangs on them; a stub stays as long as a repeat of their creation or end may come. */
create function ${q}.remove_v1(p_ids uuid[], p_now bigint) returns int language plpgsql volatile as $$
declare v_n int;
begin
  with gone as (
    delete from ${q}.done where id = any (p_ids) returning *
  ), jobs as (
    delete from ${q}.job j using gone where j.id = gone.id returning j.id
  ), stubs as (
    insert into ${q}.stub (id, phase, session, call, done_call, commands, until)
    select id, phase, session, call, done_call, (select array_agg(command) from ${q}.command c where c.id = gone.id), at + 120000 from gone where at + 120000 > p_now
    on conflict (id) do nothing
  ), tal as (
    insert into ${q}.tally (at, queue, name, d)
    select p_now, queue, name, array[0, 0, 0, 0, 0, -count(*) filter (where phase = 5), -count(*) filter (where phase = 6), -count(*) filter (where phase = 7)] from gone group by queue, name
  )
  select count(*) into v_n from gone;
  perform ${q}.forget_v1(p_ids);
  return v_n;
end $$;

create function ${q}.sweep_v1(p_limit int, out removed int, out again boolean, out topics text) language plpgsql volatile as $$
declare v_now bigint := ${q}.now_ms(); v_ids uuid[]; v_id uuid; b ${q}.batch; s ${q}.spot; v_seen int;
begin
  removed := 0;
  select array_agg(id) into v_ids from (select id from ${q}.done where remove_at <= v_now order by remove_at limit p_limit for update skip locked) x;
  v_seen := coalesce(cardinality(v_ids), 0);
  if v_ids is not null then
    -- children still wait for it: its end decides that first, and it stays a while longer
    for v_id in select d.id from ${q}.done d where d.id = any (v_ids) and d.phase = ${phase.failed} and exists (select from ${q}.edge where parent = d.id and open) loop
      -- one before it in this list may have decided all that waited
      continue when not exists (select from ${q}.edge where parent = v_id and open);
      v_ids := array_remove(v_ids, v_id);
      s := ${q}.find_v1(v_id);
      perform ${q}.enter_v1(s, v_now, '', '${stored(entered.retired)}', null, '{}');
      perform ${q}.settle_v1(500, true, v_now);
    end loop;
    -- or what ended owes something to them still
    select array_agg(x) into v_ids from unnest(v_ids) x where not exists (select from ${q}.owed where job = x);
    if v_ids is not null then removed := ${q}.remove_v1(v_ids, v_now); end if;
  end if;
  while v_seen < p_limit loop
    select * into b from ${q}.batch where at <= v_now - ${defaultKeepMs.succeeded} order by at, k limit 1 for update skip locked;
    exit when not found;
    delete from ${q}.batch where at = b.at and k = b.k;
    delete from ${q}.job where id = any (b.ids);
    perform ${q}.forget_v1(b.ids);
    insert into ${q}.tally (at, queue, name, d) select v_now, b.queue, name, array[0, 0, 0, 0, 0, -count(*), 0, 0] from unnest(b.names) name group by name;
    v_seen := v_seen + cardinality(b.ids);
    removed := removed + cardinality(b.ids);
  end loop;
  again := exists (select from ${q}.done where remove_at <= v_now) or exists (select from ${q}.batch where at <= v_now - ${defaultKeepMs.succeeded});

  delete from ${q}.stub where id in (select id from ${q}.stub where until <= v_now order by until limit p_limit for update skip locked);
  delete from ${q}.lock where name in (select name from ${q}.lock where expires_at <= v_now limit p_limit for update skip locked);
  delete from ${q}.uniq where key in (select key from ${q}.uniq where expires_at <= v_now order by expires_at limit p_limit for update skip locked);
  delete from ${q}.ear where seen_at < v_now - 300000;
  delete from ${q}.session where num in (select num from ${q}.session where state = 2 and ended_at < v_now - 400 * 86400000::bigint limit p_limit for update skip locked);
  delete from ${q}.gate g where key in (select key from ${q}.gate where full_at <= v_now and opens_at is null and pg_try_advisory_xact_lock(${q}.gate_lock(key)) limit p_limit)
    and not exists (select from ${q}.gate_wait w where w.key = g.key);
  perform ${q}.forget_tags_v1(100, v_now);
  perform ${q}.fold_v1(5000, false);
  perform ${q}.roll_up_v1(v_now);
  topics := current_setting('q.topics', true);
end $$;

/*
 * Tags no job has any more. Whoever uses one says so every minute, so those of ten minutes ago are looked at, a few in each
 * call. A tag of a million jobs needs no more than a glance: of many jobs the index gives some.
 */
create function ${q}.forget_tags_v1(p_limit int, p_now bigint) returns void language plpgsql volatile
set gin_fuzzy_search_limit = 1000 set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare v_name text;
begin
  for v_name in select name from ${q}.tag where seen_at < p_now - 600000 order by seen_at limit p_limit for update skip locked loop
    perform 1 from ${q}.job where tags @> array[v_name] limit 1;
    if found then update ${q}.tag set seen_at = p_now where name = v_name;
    else delete from ${q}.tag where name = v_name; end if;
  end loop;
end $$;

create function ${q}.histogram(p_values smallint[]) returns bigint[] language plpgsql immutable as $$
begin
  return (select array_agg(coalesce(c, 0) order by i) from generate_series(0, 99) i left join (select v, count(*) as c from unnest(p_values) v group by v) x on x.v = i);
end $$;
create function ${q}.add_counts(a bigint[], b bigint[]) returns bigint[] language plpgsql immutable as $$
begin
  return (select array_agg(x + y order by i) from unnest(a, b) with ordinality u(x, y, i));
end $$;

/* Adds what was tallied to the totals, the minutes and the error groups. One at a time; p_wait: for readers who want it all. */
create function ${q}.fold_v1(p_limit int, p_wait boolean) returns int language plpgsql volatile as $$
declare v_key bigint := ${q}.gate_lock('');  v_rows ${q}.tally[]; v_minute bigint := 60000;
begin
  if p_wait then perform pg_advisory_xact_lock(v_key);
  elsif not pg_try_advisory_xact_lock(v_key) then return 0; end if;
  with gone as (delete from ${q}.tally where k in (select k from ${q}.tally order by k limit p_limit) returning *)
  select array_agg(gone::${q}.tally order by k) into v_rows from gone;
  if v_rows is null then return 0; end if;
  insert into ${q}.tally_total as t (queue, d, retrying)
    select queue, array[sum(d[1]), sum(d[2]), sum(d[3]), sum(d[4]), sum(d[5]), sum(d[6]), sum(d[7]), sum(d[8])], sum(retrying) from unnest(v_rows) group by queue
    on conflict (queue) do update set d = ${q}.add_counts(t.d, excluded.d), retrying = t.retrying + excluded.retrying;
  insert into ${q}.bucket as t (step, at, queue, name, created, ok, bad, retried, runs, waits)
    select 0, g.at, g.queue, g.name, g.created, g.ok, g.bad, g.retried,
      ${q}.histogram(array(select r from unnest(v_rows) v, unnest(v.runs) r where v.at - v.at % v_minute = g.at and v.queue = g.queue and v.name = g.name)),
      ${q}.histogram(array(select r from unnest(v_rows) v, unnest(v.waits) r where v.at - v.at % v_minute = g.at and v.queue = g.queue and v.name = g.name))
    from (select at - at % v_minute as at, queue, name, sum(created) as created, sum(ok) as ok, sum(bad) as bad, sum(retried) as retried
      from unnest(v_rows) group by 1, 2, 3
      having sum(created) + sum(ok) + sum(bad) + sum(retried) > 0 or bool_or(runs is not null or waits is not null)) g
    on conflict (step, at, queue, name) do update set created = t.created + excluded.created, ok = t.ok + excluded.ok, bad = t.bad + excluded.bad,
      retried = t.retried + excluded.retried, runs = ${q}.add_counts(t.runs, excluded.runs), waits = ${q}.add_counts(t.waits, excluded.waits);
  insert into ${q}.failure as t (fingerprint, preview, names, count, first_at, last_at, sample)
    select fingerprint, (array_agg(preview order by k desc))[1], array_agg(distinct name), count(*), min(at), max(at), (array_agg(sample order by k desc))[1]
    from unnest(v_rows) where fingerprint is not null group by fingerprint
    on conflict (fingerprint) do update set preview = excluded.preview, names = (select array_agg(distinct x) from unnest(t.names || excluded.names) x),
      count = t.count + excluded.count, last_at = excluded.last_at, sample = excluded.sample;
  insert into ${q}.failure_hour as t (fingerprint, hour, count)
    select fingerprint, at / 3600000, count(*) from unnest(v_rows) where fingerprint is not null group by 1, 2
    on conflict (fingerprint, hour) do update set count = t.count + excluded.count;
  return cardinality(v_rows);
end $$;

create function ${q}.fold_all_v1() returns void language plpgsql volatile as $$
begin
  for i in 1 .. 100 loop exit when ${q}.fold_v1(2000, true) < 2000; end loop;
end $$;

/* Minutes stay a day, hours thirty days, days a year. */
create function ${q}.roll_up_v1(p_now bigint) returns void language plpgsql volatile as $$
begin
  with old as (
    delete from ${q}.bucket where (step, at, queue, name) in (
      select step, at, queue, name from ${q}.bucket where (step = 0 and at < p_now - 90000000) or (step = 1 and at < p_now - 2592000000) order by step, at limit 500)
    returning step + 1 as step, at - at % (case when step = 0 then 3600000 else 86400000 end) as at, queue, name, created, ok, bad, retried, runs, waits
  ), sums as (
    select step, at, queue, name, sum(created) as created, sum(ok) as ok, sum(bad) as bad, sum(retried) as retried from old group by step, at, queue, name
  )
  insert into ${q}.bucket as t (step, at, queue, name, created, ok, bad, retried, runs, waits)
    select s.step, s.at, s.queue, s.name, s.created, s.ok, s.bad, s.retried,
      array(select sum(v) from old o, unnest(o.runs) with ordinality u(v, i) where (o.step, o.at, o.queue, o.name) = (s.step, s.at, s.queue, s.name) group by i order by i),
      array(select sum(v) from old o, unnest(o.waits) with ordinality u(v, i) where (o.step, o.at, o.queue, o.name) = (s.step, s.at, s.queue, s.name) group by i order by i)
    from sums s
    on conflict (step, at, queue, name) do update set created = t.created + excluded.created, ok = t.ok + excluded.ok, bad = t.bad + excluded.bad,
      retried = t.retried + excluded.retried, runs = ${q}.add_counts(t.runs, excluded.runs), waits = ${q}.add_counts(t.waits, excluded.waits);
  delete from ${q}.bucket where step = 2 and at < p_now - 31536000000;
  delete from ${q}.failure where last_at < p_now - 2592000000;
  delete from ${q}.failure_hour where hour < p_now / 3600000 - 48;
end $$;
`
