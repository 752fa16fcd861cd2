import { defaultKeepMs, entered } from '@q/core/storage'
import { flag, slowToClaim, slowToEnd } from '../flags.ts'
import { phase } from '../phases.ts'
import { stored } from '../stored-state.ts'
import { literal } from './literal.ts'
import { steady } from './steady.ts'

/** Bytes of a result that may stand in a batch: so many of a thousand jobs are still no trouble to read for one of them. */
const mostPacked = 200

/** For how long claims may start where the last one ended. */
const skipMs = 1000

/** Sessions and all that happens to running jobs. Errors that are part of the contract have SQL states of their own. */
export const work = (q: string): string => /* sql */ `
create function ${q}.open_v1(p_id text, p_server text, p_ttl float8, p_info text, p_replaces text, out topics text) language plpgsql volatile as $$
declare s ${q}.session; o ${q}.session; v_now bigint := ${q}.now_ms();
begin
  select * into s from ${q}.session where id = p_id;
  if s.state = 2 and s.ended_at + 2 * s.ttl <= v_now then
    update ${q}.session set id = id || ' ' || num where num = s.num;
    s := null;
  end if;
  if s.num is not null then
    if s.state <> 0 then raise exception 'session % has ended', p_id using errcode = 'QQ001'; end if;
    update ${q}.session set seen_at = v_now, suspect_at = null, server = p_server, ttl = p_ttl, info = p_info where num = s.num;
  else
    insert into ${q}.session (id, server, ttl, info, opened_at, seen_at, replaces) values (p_id, p_server, p_ttl, p_info, v_now, v_now, p_replaces)
      on conflict (id) do nothing;
  end if;
  if p_replaces is not null and p_replaces <> p_id and pg_try_advisory_xact_lock(${q}.session_key(p_replaces)) then
    select * into o from ${q}.session where id = p_replaces and state < 2 for update;
    if found then
      perform ${q}.hand_back_v1(o.num, 1000000, v_now, false);
      update ${q}.session set state = 2, ended_at = v_now where num = o.num;
      delete from ${q}.voided where session = o.num;
    end if;
  end if;
  topics := current_setting('q.topics', true);
end $$;

/* Gives back what a session holds: as if never claimed, or, when it was lost (p_lost), charged. Returns the jobs. */
create function ${q}.hand_back_v1(p_session int, p_limit int, p_now bigint, p_lost boolean) returns uuid[] language plpgsql volatile as $$
declare v_ids uuid[]; v_id uuid; s ${q}.spot; w ${q}.wish; v_to jsonb; v_how jsonb; v_crashes int; v_limit int; v_flags int; v_by text;
begin
  select array_agg(id order by id) into v_ids from (select id from ${q}.lease where session = p_session order by id limit p_limit) x;
  if v_ids is null then return '{}'; end if;
  perform ${q}.lock_gates_v1(v_ids);
  foreach v_id in array v_ids loop
    s := ${q}.find_v1(v_id);
    continue when s.phase is distinct from ${phase.active} or s.session <> p_session;
    v_flags := s.flags; v_crashes := s.crashes; v_by := '';
    if not p_lost or s.flags & ${flag.prefetched} <> 0 then
      v_how := jsonb_build_object('attempt', greatest(0, s.attempt - 1));
    else
      v_how := '{}'; v_crashes := v_crashes + 1;
    end if;
    if p_lost and s.flags & ${flag.prefetched} <> 0 then v_flags := v_flags | ${flag.neverExtra}; end if;
    if s.flags & ${flag.adopted} <> 0 then
      v_to := '${stored(entered.parkedAgain)}';
      v_how := v_how || jsonb_build_object('parkedFor', s.parked_for);
    else
      v_to := case when p_lost then '${stored(entered.recovered)}' else '${stored(entered.handedBack)}' end;
    end if;
    if v_crashes > s.crashes then
      select coalesce(crash_limit, 3) into v_limit from ${q}.job where id = v_id;
      if v_crashes >= v_limit then v_to := '${stored(entered.crashed)}'; end if;
    end if;
    if s.flags & ${flag.wished} <> 0 and (v_to->>'phase')::int < ${phase.succeeded} then
      select * into w from ${q}.wish where id = v_id;
      v_to := w.state; v_by := w."by";
      if w.keep is not null then v_how := v_how || jsonb_build_object('keep', w.keep); end if;
      if w.command is not null then v_how := v_how || jsonb_build_object('command', w.command); end if;
    end if;
    perform ${q}.enter_v1(s, p_now, v_by, v_to, null, v_how || jsonb_build_object('keepPlace', true, 'crashes', v_crashes, 'flags', v_flags));
    perform ${q}.settle_v1(500, true, p_now);
  end loop;
  return v_ids;
end $$;

/* One step at a time for a session: exchange, reconcile, end and recovery exclude each other until they are committed. */
create function ${q}.lock_session_v1(p_id text) returns void language plpgsql volatile as $$
begin
  if pg_try_advisory_xact_lock(${q}.session_key(p_id)) then return; end if;
  perform set_config('lock_timeout', greatest(100, coalesce((select ttl from ${q}.session where id = p_id), 30000) / 10)::int::text, true);
  perform pg_advisory_xact_lock(${q}.session_key(p_id));
  perform set_config('lock_timeout', '0', true);
end $$;

create function ${q}.signals_v1(p_session int) returns jsonb language plpgsql stable as $$
begin
  return (select case when exists (select from ${q}.wish) or exists (select from ${q}.voided where session = p_session) then
    (select coalesce(jsonb_agg(x), '[]') from (
      select l.id, l.call, w.state->>'reason' as reason, w.grace, false as voided from ${q}.wish w join ${q}.lease l on l.id = w.id where l.session = p_session
      union all
      select v.id, v.call, v.reason, null, true from ${q}.voided v where v.session = p_session) x)
  else '[]' end);
end $$;

create function ${q}.heartbeat_v1(p_ids text[]) returns jsonb language plpgsql volatile as $$
declare v_now bigint := ${q}.now_ms(); v_reply jsonb := '[]'; v_id text; v_num int;
begin
  for v_id in select unnest(p_ids) loop
    v_num := null;
    update ${q}.session set seen_at = greatest(seen_at, v_now), suspect_at = null where id = v_id and state = 0 returning num into v_num;
    v_reply := v_reply || jsonb_build_object('id', v_id, 'alive', v_num is not null, 'cancel', case when v_num is null then '[]' else ${q}.signals_v1(v_num) end,
      'queues', (select queues from ${q}.meta));
  end loop;
  return v_reply;
end $$;

create function ${q}.end_v1(p_id text, out topics text) language plpgsql volatile as $$
declare s ${q}.session; v_now bigint;
begin
  perform ${q}.lock_session_v1(p_id);
  select * into s from ${q}.session where id = p_id;
  v_now := ${q}.now_ms();
  if found and s.state = 0 then
    perform ${q}.hand_back_v1(s.num, 1000000, v_now, false);
    update ${q}.session set state = 2, ended_at = v_now where num = s.num;
    delete from ${q}.voided where session = s.num;
  end if;
  topics := current_setting('q.topics', true);
end $$;

/* Best-effort data of running jobs. Answers which claims still stood. */
create function ${q}.note_v1(p_notes jsonb, p_now bigint) returns jsonb language plpgsql volatile as $$
declare v_one jsonb; v_ok jsonb := '[]'; l ${q}.lease; v_line text; v_number int; v_last int; v_n int; v_added boolean;
begin
  for v_one in select * from jsonb_array_elements(p_notes) loop
    select l0.* into l from ${q}.lease l0 join ${q}.session s on s.num = l0.session
      where l0.id = (v_one->>'id')::uuid and l0.call = (v_one->>'tc')::bigint and s.id = v_one->>'ts' for update of l0;
    if not found then v_ok := v_ok || 'false'; continue; end if;
    v_ok := v_ok || 'true';
    if v_one ? 'progress' then
      insert into ${q}.extra (id, progress) values (l.id, v_one->>'progress') on conflict (id) do update set progress = excluded.progress;
    end if;
    if v_one ? 'lines' then
      insert into ${q}.extra (id) values (l.id) on conflict do nothing;
      select lines into v_n from ${q}.extra where id = l.id for update;
      select coalesce(max(line), 0) into v_last from ${q}.log where id = l.id and session = l.session and call = l.call;
      v_number := (v_one->>'from')::int; v_added := false;
      for v_line in select * from jsonb_array_elements_text(v_one->'lines') loop
        if v_number > v_last then
          v_n := v_n + 1; v_added := true;
          insert into ${q}.log (id, n, at, attempt, call, session, line, text) values (l.id, v_n, p_now, l.attempt, l.call, l.session, v_number, v_line);
        end if;
        v_number := v_number + 1;
      end loop;
      if v_added then
        update ${q}.extra set lines = v_n where id = l.id;
        delete from ${q}.log where id = l.id and n <= v_n - 1000;
      end if;
    end if;
    perform ${q}.wakes('j:' || l.id);
  end loop;
  return v_ok;
end $$;

/* What a claimed job looks like on the wire: an array, since a hundred of them travel together. */
create function ${q}.claimed_v1(p_ids uuid[]) returns json language plpgsql stable as $$
begin
  return (select coalesce(json_agg(json_build_array(l.id, l.queue, l.name, j.version, j.payload, l.priority, l.attempt, l.crashes, j.created_at, l.ready_at, l.at, j.tags,
    coalesce(x.params, j.params), j.rare->'recurring', l.busy) order by i), '[]')
  from unnest(p_ids) with ordinality u(id, i) join ${q}.lease l on l.id = u.id join ${q}.job j on j.id = u.id left join ${q}.extra x on x.id = u.id);
end $$;

/* A claim that has to look at every job: gates, limits of queues, expiry, unique keys, adoption. */
create function ${q}.claim_closely_v1(s ${q}.session, p_call bigint, p_now bigint, p_max int, p_extra int, p_queues int[], p_caps int[], p_adopt text[], p_state int,
  out claimed uuid[], out more boolean) language plpgsql volatile as $$
declare
  v_most int := p_max + p_extra; v_examined int := 0; v_skip uuid[] := '{}'; c ${q}.queue; p ${q}.pending; j ${q}.job; v_room int; v_taken int;
  v_adopting boolean; v_share int := (p_max + 1) / 2; v_gate jsonb; v_keys text[]; v_left boolean; v_tell jsonb; v_shut jsonb; v_used int; v_rate ${q}.gate; v_full float8;
  v_tokens int; v_holder uuid; v_d int[]; v_spot ${q}.spot; v_took int[] := array_fill(0, array[coalesce(cardinality(p_queues), 0)]); v_key text; v_flags int; v_busy jsonb; v_stop boolean := false;
begin
  claimed := '{}'; more := false;
  <<rounds>> for v_round in (case when p_adopt is null then 2 else 1 end) .. 2 loop
    v_adopting := v_round = 1;
    <<drain>> for v_ord in 1 .. coalesce(cardinality(p_queues), 0) loop
      select * into c from ${q}.queue where num = p_queues[v_ord];
      if c.limited then
        select * into c from ${q}.queue where num = p_queues[v_ord] for update skip locked;
        if not found then more := true; continue drain; end if;
      end if;
      continue drain when c.paused is not null and (c.paused->>'until' is null or (c.paused->>'until')::float8 > p_now);
      v_room := least(coalesce(p_caps[v_ord], 1000000), 1000000) - v_took[v_ord];
      if c.max_active is not null then v_room := least(v_room, c.max_active - (select count(*) from ${q}.lease where queue = c.num)::int); end if;
      if c.rate_max is not null then v_room := least(v_room, ${q}.tokens_left(c.rate_max, c.rate_per, c.full_at, p_now)); end if;
      v_taken := 0;
      loop
        exit when v_taken >= v_room or cardinality(claimed) >= v_most or (v_adopting and cardinality(claimed) >= v_share);
        if v_adopting then
          select * into p from ${q}.pending where queue = c.num and phase = ${phase.parked} and parked_for = any (p_adopt) and id <> all (v_skip)
            order by priority, seq limit 1 for update skip locked;
        else
          select * into p from ${q}.pending where queue = c.num and phase = ${phase.ready} and not aside and id <> all (v_skip)
            order by priority, seq limit 1 for update skip locked;
        end if;
        exit when not found;
        if not v_adopting then
          v_stop := cardinality(claimed) >= p_max and (c.limited or p.flags & ${flag.gated | flag.neverExtra} <> 0);
          exit when v_stop;
          v_examined := v_examined + 1;
          if v_examined > v_most + 500 then more := true; v_stop := true; exit; end if;
        end if;
        select * into j from ${q}.job where id = p.id;
        if p.flags & ${flag.expires} <> 0 and p.attempt = 0 and j.expires_at <= p_now then
          v_spot := ${q}.find_v1(p.id);
          perform ${q}.enter_v1(v_spot, p_now, '', '${stored(entered.expired)}', null, '{}');
          perform ${q}.settle_v1(500, true, p_now);
          continue;
        end if;
        v_tell := null; v_shut := null; v_left := false; v_busy := null; v_holder := null; v_keys := '{}';
        if p.flags & ${flag.gated} <> 0 then
          for v_gate in select * from jsonb_array_elements(j.rare->'gates') loop
            if not pg_try_advisory_xact_lock(${q}.gate_lock(v_gate->>'key')) then v_left := true; exit; end if;
            v_keys := v_keys || (v_gate->>'key');
            v_used := 0;
            if v_gate ? 'limit' then
              select count(*) into v_used from ${q}.gate_hold where key = v_gate->>'key';
              v_used := case when v_used >= (v_gate->>'limit')::int then 1 else 0 end;
            end if;
            if v_used = 0 and v_gate ? 'rate' then
              select full_at into v_full from ${q}.gate where key = v_gate->>'key';
              if ${q}.tokens_left((v_gate->'rate'->>'max')::int, (v_gate->'rate'->>'per')::float8, coalesce(v_full, 0), p_now) < 1 then v_used := 1; end if;
            end if;
            if v_used = 1 then
              v_shut := coalesce(v_shut, v_gate);
              if v_gate->>'busy' = 'tell' then v_tell := coalesce(v_tell, v_gate); end if;
            end if;
          end loop;
          if v_left then v_skip := v_skip || p.id; more := true; continue; end if;
          if v_tell is not null then
            select id into v_holder from ${q}.gate_hold where key = v_tell->>'key' limit 1;
            v_busy := jsonb_build_object('key', v_tell->>'key', 'holder', v_holder);
          elsif v_shut is not null then
            if v_adopting then v_skip := v_skip || p.id; continue; end if;
            update ${q}.pending set aside = true where id = p.id;
            insert into ${q}.gate_wait (key, queue, priority, seq, id, most, rate_max, rate_per, offered)
              values (v_shut->>'key', p.queue, p.priority, p.seq, p.id, (v_shut->>'limit')::int, (v_shut->'rate'->>'max')::int, (v_shut->'rate'->>'per')::float8, false)
              on conflict (id) do update set key = excluded.key, most = excluded.most, rate_max = excluded.rate_max, rate_per = excluded.rate_per, offered = false;
            if v_shut ? 'rate' then
              insert into ${q}.gate (key, opens_at) values (v_shut->>'key', ${q}.next_token_at((v_shut->'rate'->>'max')::int, (v_shut->'rate'->>'per')::float8, coalesce(v_full, 0), p_now))
                on conflict (key) do update set opens_at = least(gate.opens_at, excluded.opens_at);
            end if;
            foreach v_key in array v_keys loop
              if v_key <> v_shut->>'key' then perform ${q}.offer_v1(v_key, p_now); end if;
            end loop;
            continue;
          else
            for v_gate in select * from jsonb_array_elements(j.rare->'gates') loop
              insert into ${q}.gate_hold (key, id) values (v_gate->>'key', p.id) on conflict do nothing;
              if v_gate ? 'rate' then
                insert into ${q}.gate (key, full_at) values (v_gate->>'key', ${q}.token_taken((v_gate->'rate'->>'max')::int, (v_gate->'rate'->>'per')::float8, 0, p_now, 1))
                  on conflict (key) do update set full_at = ${q}.token_taken((v_gate->'rate'->>'max')::int, (v_gate->'rate'->>'per')::float8, gate.full_at, p_now, 1);
              end if;
            end loop;
          end if;
          delete from ${q}.gate_wait where id = p.id;
        end if;
        if p.flags & ${flag.uniqueUntilClaimed} <> 0 then
          delete from ${q}.uniq where key = j.rare->'unique'->>'key' and id = p.id;
        end if;
        v_flags := p.flags | case when v_adopting then ${flag.adopted} else 0 end | case when cardinality(claimed) >= p_max then ${flag.prefetched} else 0 end
          | case when v_tell is not null then ${flag.busy} else 0 end;
        delete from ${q}.pending where id = p.id;
        insert into ${q}.lease (id, call, seq, ready_at, at, session, queue, name, priority, attempt, crashes, n, flags, claim_state, parked_for, busy)
          values (p.id, p_call, p.seq, p.at, greatest(p_now, p.at), s.num, p.queue, p.name, p.priority, p.attempt + 1, p.crashes, p.n + 1, v_flags, p_state, p.parked_for, v_busy);
        v_d := case when v_adopting then array[0,0,0,1,-1,0,0,0] else array[0,0,-1,1,0,0,0,0] end;
        insert into ${q}.tally (at, queue, name, d, waits) values (p_now, p.queue, p.name, v_d, array[${q}.histogram_index(greatest(0, p_now - p.at)::real)]);
        claimed := claimed || p.id;
        v_taken := v_taken + 1; v_took[v_ord] := v_took[v_ord] + 1;
      end loop;
      if c.rate_max is not null and v_taken > 0 then
        update ${q}.queue set full_at = ${q}.token_taken(c.rate_max, c.rate_per, c.full_at, p_now, v_taken) where num = c.num;
      end if;
      exit rounds when v_stop;
    end loop;
  end loop;
end $$;

/*
 * THE hot path. Plain successes (p_plain) and plain claims are one statement each; everything else takes the closer
 * look. The session is renewed at the end, so that its row is locked no longer than the commit takes.
 *
 * While an old snapshot is held, claimed jobs cannot leave the index, and every claim would walk past all of them. Then
 * this session remembers where its claims ended (see skip_v1) and starts there, for a second at most.
 */
create function ${q}.exchange_v1(p_session text, p_call bigint, p_plain json, p_slow jsonb, p_notes jsonb, p_max int, p_extra int, p_queues int[], p_caps int[],
  p_adopt text[], p_state text) returns json language plpgsql volatile ${steady} as $$
declare
  s ${q}.session; v_now bigint; v_state int; v_done int[]; v_slow jsonb := '[]'; v_noted jsonb; v_one jsonb; v_most int; v_ids uuid[]; v_tids tid[]; v_gone int; v_said int; v_close boolean; v_claimed json := '[]';
  v_more boolean := false; v_next bigint; v_adoptable boolean := false; m ${q}.meta; v_left jsonb; v_skip jsonb; v_seen bigint; v_back bigint; v_oldest bigint;
begin
  perform ${q}.lock_session_v1(p_session);
  select * into s from ${q}.session where id = p_session;
  if not found or s.state <> 0 then raise exception 'session % was lost', p_session using errcode = 'QQ001'; end if;
  if p_call <= s.last_call then raise exception 'call % of session % is closed', p_call, p_session using errcode = 'QQ002'; end if;

  if p_notes is not null then v_noted := ${q}.note_v1(p_notes, ${q}.now_ms()); end if;

  if p_plain is not null then
    v_now := ${q}.now_ms();
    -- all or none: what somebody else takes while this looks takes the closer look
    begin
      with inp as materialized (
        select * from json_to_recordset(p_plain) as x(i int, id uuid, c bigint, n text, d text, r real) order by x.id
      ), hit as materialized (
        -- fenced: one look into the index for each, however few claims the planner believes in
        select inp.i, inp.n as state_name, inp.d, inp.r, octet_length(inp.d) > ${mostPacked} as big, l.* from inp cross join lateral (
          select l.ctid as tid, l.id::text as hex, l.* from ${q}.lease l
          where l.id = inp.id and l.session = s.num and l.call = inp.c and l.flags & ${slowToEnd} = 0 offset 0) l
      ), gone as (
        -- by a list, not a join: rows to delete drag along whole copies of what they are joined with. While the session is
        -- locked none of its jobs is claimed again, so the call that was looked at holds.
        delete from ${q}.lease where ctid = any (array(select tid from hit)) and session = s.num and flags & ${slowToEnd} = 0 returning 1
      ), fin as (
        insert into ${q}.done (id, at, claimed_at, call, done_call, remove_at, session, queue, name, priority, attempt, crashes, n, flags, claim_state, waited, ran, phase, state, data)
        select id, greatest(v_now, at), at, call, p_call, greatest(v_now, at) + ${defaultKeepMs.succeeded}, session, queue, name, priority, attempt, crashes, n + 1,
          flags & ~${flag.prefetched | flag.busy}, claim_state, at - ready_at, r, ${phase.succeeded}, state_name, d from hit where big
      ), bat as (
        -- each array in the order of the others, whatever that is
        insert into ${q}.batch (at, claimed_at, call, done_call, first, last, session, queue, priority, attempt, crashes, n, flags, claim_state, state, ids, names, waits, runs, data)
        select greatest(v_now, at), at, call, p_call, min(hex collate "C")::uuid, max(hex collate "C")::uuid, s.num, queue, priority, attempt, crashes, n + 1,
          flags & ~${flag.prefetched | flag.busy}, claim_state, state_name, array_agg(id), array_agg(name), array_agg((at - ready_at)::real), array_agg(r), array_agg(d)
        from hit where big is not true
        group by at, call, queue, priority, attempt, crashes, n, flags & ~${flag.prefetched | flag.busy}, claim_state, state_name, left(hex, 8)
      ), tal as (
        insert into ${q}.tally (at, queue, name, d, ok, runs)
        select v_now, queue, name, array[0, 0, 0, -count(*), 0, count(*), 0, 0], count(*), array_agg(${q}.histogram_index(r)) filter (where r is not null) from hit group by queue, name
      )
      select (select array_agg(i) from hit), (select count(*) from gone), (select count(*) from inp) into v_done, v_gone, v_said;
      if v_gone <> coalesce(cardinality(v_done), 0) then raise exception using errcode = 'QQ003'; end if;
    exception when sqlstate 'QQ003' then
      v_done := null;
    end;
    if v_done is null or cardinality(v_done) < v_said then
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('i', i, 'id', id, 'ts', p_session, 'tc', c, 'rn', r, 'to',
        jsonb_strip_nulls(jsonb_build_object('name', coalesce(n, 'succeeded'), 'phase', ${phase.succeeded}, 'data', d))))) into v_left
      from json_to_recordset(p_plain) as x(i int, id uuid, c bigint, n text, d text, r real) where i <> all (coalesce(v_done, '{}'));
      p_slow := coalesce(p_slow, '[]') || v_left;
    end if;
  end if;

  if p_slow is not null then
    perform ${q}.lock_gates_v1(array(select (e->>'id')::uuid from jsonb_array_elements(p_slow) e));
    v_now := ${q}.now_ms();
    for v_one in select e from jsonb_array_elements(p_slow) e order by (e->>'i')::int loop
      v_slow := v_slow || (${q}.apply_one_v1(v_one, v_now, s.num, p_call) || jsonb_build_object('i', v_one->'i'));
    end loop;
  end if;

  v_now := ${q}.now_ms();
  if p_queues is not null then
    if s.claim_text = p_state then
      v_state := s.claim_state;
    else
      insert into ${q}.claim_state (body) values (p_state::jsonb) on conflict do nothing;
      select num into v_state from ${q}.claim_state where body = p_state::jsonb;
      update ${q}.session set claim_state = v_state, claim_text = p_state where num = s.num;
    end if;
    v_most := p_max + p_extra;
    v_close := p_adopt is not null;
    if not v_close then
      perform 1 from ${q}.queue where num = any (p_queues) and (limited or paused is not null) limit 1;
      v_close := found;
    end if;
    if not v_close and v_most > 0 then
      select last_value into v_back from ${q}.back;
      if (s.skip->>'until')::bigint > v_now and (s.skip->>'back')::bigint = v_back then v_skip := s.skip; end if;
      v_oldest := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
      v_seen := ${q}.entries_seen();
      for v_look in 1 .. 4 loop
      select array_agg(tid), bool_or(flags & ${slowToClaim} <> 0) or (p_extra > 0 and bool_or(flags & ${flag.neverExtra} <> 0))
      into v_tids, v_close from (
        select c.tid, c.flags from unnest(p_queues, p_caps) with ordinality u(num, cap, ord)
        cross join lateral (select coalesce((v_skip->'from'->u.num::text->>0)::int, -2147483648) as priority,
          coalesce((v_skip->'from'->u.num::text->>1)::bigint, 0) as seq) f
        cross join lateral (
          select * from (
            select p.ctid as tid, p.flags from ${q}.pending p where p.queue = u.num and p.phase = ${phase.ready} and not p.aside and p.priority < f.priority
            order by p.priority, p.seq limit least(u.cap, v_most) for update skip locked) urgent
          union all
          select * from (
            select p.ctid as tid, p.flags from ${q}.pending p where p.queue = u.num and p.phase = ${phase.ready} and not p.aside and (p.priority, p.seq) >= (f.priority, f.seq)
            order by p.priority, p.seq limit least(u.cap, v_most) for update skip locked) next
          limit least(u.cap, v_most)) c
        limit v_most) picked;
      -- what is there may be locked for the moment by somebody who only looks at it: look again before saying so
      exit when v_tids is not null or v_look = 4 or not ${q}.more_v1(p_queues, v_now);
      if v_skip is null then perform pg_sleep(0.003); end if;
      v_skip := null;
      end loop;
      if v_tids is null or cardinality(v_tids) < v_most then v_skip := null;
      elsif v_skip is null and ${q}.entries_seen() - v_seen > 1000 + 2 * v_most then
        v_skip := jsonb_build_object('until', v_now + ${skipMs}, 'back', v_back, 'from', '{}'::jsonb, 'to', '{}'::jsonb, 'tx', 0);
      end if;
      v_close := coalesce(v_close, false);
      if not v_close and v_tids is not null then
        with taken as (
          -- locked above, so they are where they were seen
          delete from ${q}.pending where ctid = any (v_tids) returning id, seq, at, queue, name, priority, attempt, crashes, n, flags
        ), gone as materialized (
          select *, row_number() over (order by array_position(p_queues, queue), priority, seq) as i from taken
        ), held as (
          insert into ${q}.lease (id, call, seq, ready_at, at, session, queue, name, priority, attempt, crashes, n, flags, claim_state)
          select id, p_call, seq, at, greatest(v_now, at), s.num, queue, name, priority, attempt + 1, crashes, n + 1, flags | case when i > p_max then ${flag.prefetched} else 0 end, v_state from gone
        ), tal as (
          insert into ${q}.tally (at, queue, name, d, waits)
          select v_now, queue, name, array[0, 0, -count(*), count(*), 0, 0, 0, 0], array_agg(${q}.histogram_index(greatest(0, v_now - at)::real)) from gone group by queue, name
        )
        select json_agg(json_build_array(g.id, g.queue, g.name, j.version, j.payload, g.priority, g.attempt + 1, g.crashes, j.created_at, g.at, greatest(v_now, g.at), j.tags,
          coalesce(x.params, j.params), j.rare->'recurring') order by g.i),
          ${q}.skip_v1(v_skip, (select jsonb_object_agg(queue, jsonb_build_array(priority, seq) order by priority, seq) from gone where v_skip is not null), v_oldest)
        into v_claimed, v_skip
        from gone g join ${q}.job j on j.id = g.id left join ${q}.extra x on x.id = g.id and g.flags & ${flag.extra} <> 0;
      end if;
    end if;
    if v_close then
      select c.claimed, c.more into v_ids, v_more
        from ${q}.claim_closely_v1(s, p_call, v_now, p_max, p_extra, p_queues, p_caps, p_adopt, v_state) c;
      v_claimed := ${q}.claimed_v1(v_ids);
    end if;
    v_more := v_more or ${q}.more_v1(p_queues, v_now, v_skip->'from');
    if not v_more then v_next := ${q}.next_due_v1(p_queues, v_now); end if;
    v_adoptable := exists (select from unnest(p_queues) u(num) cross join lateral (select from ${q}.pending p where p.queue = u.num and p.phase = ${phase.parked} limit 1) x);
  end if;

  update ${q}.session set last_call = p_call, seen_at = ${q}.now_ms(), suspect_at = null, skip = case when p_queues is null then skip else v_skip end where num = s.num and last_call < p_call;
  if not found then raise exception 'call % of session % is closed', p_call, p_session using errcode = 'QQ002'; end if;
  select * into m from ${q}.meta;
  return json_build_object('done', v_done, 'slow', v_slow, 'noted', v_noted, 'claimed', v_claimed, 'more', v_more, 'next', v_next, 'adoptable', v_adoptable,
    'cancel', ${q}.signals_v1(s.num), 'queues', m.queues, 'names', m.names, 'now', v_now, 'topics', current_setting('q.topics', true));
end $$;

/* How many entries the index of ready jobs has given to this transaction, those of rows that are gone among them. */
create function ${q}.entries_seen() returns bigint language sql volatile as
  $$ select pg_stat_get_xact_tuples_returned('${literal(q)}.pending_ready'::regclass) $$;

/*
 * Where the next claims may start. 'to' is where a claim ended, 'tx' an upper bound of the transactions that ran then:
 * one of them may have taken a place before that point and not be seen yet. Once all have ended, a claim that has begun
 * later has seen every job up to there, and 'from' moves on to it. A job that comes back to its old place is told by
 * 'back', and one that was merely locked, or whose claim was undone, waits until 'until'.
 */
create function ${q}.skip_v1(p_skip jsonb, p_ended jsonb, p_oldest bigint) returns jsonb language plpgsql volatile as $$
begin
  if p_skip is null or (p_skip->>'tx')::bigint > p_oldest then return p_skip; end if;
  return p_skip || jsonb_build_object('tx', pg_snapshot_xmax(pg_current_snapshot())::text::bigint, 'to', p_skip->'to' || p_ended,
    'from', p_skip->'from' || (select coalesce(jsonb_object_agg(key, least(value, p_skip->'to'->key)), '{}') from jsonb_each(p_ended) where p_skip->'to' ? key));
end $$;

/* p_from: where to look first. */
create function ${q}.more_v1(p_queues int[], p_now bigint, p_from jsonb default null) returns boolean language plpgsql stable as $$
begin
  perform 1 from unnest(p_queues) u(num)
    cross join lateral (select from ${q}.pending p where p.queue = u.num and p.phase = ${phase.ready} and not p.aside
      and (p.priority, p.seq) >= ((p_from->u.num::text->>0)::int, (p_from->u.num::text->>1)::bigint) limit 1) x
    join ${q}.queue c on c.num = u.num and not c.limited and c.paused is null
    where p_from ? u.num::text limit 1;
  if found then return true; end if;
  return (select exists (
    select from unnest(p_queues) u(num)
    cross join lateral (select from ${q}.pending p where p.queue = u.num and p.phase = ${phase.ready} and not p.aside limit 1) x
    join ${q}.queue c on c.num = u.num
    where (c.paused is null or (c.paused->>'until')::float8 <= p_now)
      and (c.max_active is null or c.max_active > (select count(*) from ${q}.lease l where l.queue = c.num))
      and (c.rate_max is null or ${q}.tokens_left(c.rate_max, c.rate_per, c.full_at, p_now) > 0)));
end $$;

create function ${q}.next_due_v1(p_queues int[], p_now bigint) returns bigint language plpgsql stable as $$
begin
  return (select min(at) from (
    select x.due_at as at from unnest(p_queues) u(num)
      cross join lateral (select due_at from ${q}.pending p where p.queue = u.num and p.phase = ${phase.scheduled} order by due_at limit 1) x
    union all
    select (paused->>'until')::float8::bigint from ${q}.queue where num = any (p_queues) and (paused->>'until')::float8 > p_now
    union all
    select ${q}.next_token_at(c.rate_max, c.rate_per, c.full_at, p_now) from ${q}.queue c where num = any (p_queues) and rate_max is not null
      and exists (select from ${q}.pending p where p.queue = c.num and p.phase = ${phase.ready} and not p.aside)
    union all
    select opens_at from ${q}.gate g where opens_at is not null) x);
end $$;

create function ${q}.reconcile_v1(p_session text, p_call bigint, p_list jsonb) returns json language plpgsql volatile as $$
declare s ${q}.session; v_out jsonb := '[]'; v_one jsonb; v_ids uuid[];
begin
  perform ${q}.lock_session_v1(p_session);
  select * into s from ${q}.session where id = p_session;
  if not found or s.state <> 0 then raise exception 'session % was lost', p_session using errcode = 'QQ001'; end if;
  update ${q}.session set last_call = greatest(last_call, p_call), seen_at = ${q}.now_ms(), suspect_at = null where num = s.num;
  for v_one in select * from jsonb_array_elements(p_list) loop
    if not (v_one ? 'tc') then
      perform 1 from ${q}.command where id = (v_one->>'id')::uuid and command = v_one->>'cm'
        union all select 1 from ${q}.stub where id = (v_one->>'id')::uuid and v_one->>'cm' = any (commands);
      if found then v_out := v_out || '{"ok":"already"}'; continue; end if;
      perform 1 from ${q}.job where id = (v_one->>'id')::uuid;
      v_out := v_out || case when found then '{"ok":"held"}' else '{"ok":"missing"}' end::jsonb;
      continue;
    end if;
    perform 1 from ${q}.lease l join ${q}.session t on t.num = l.session where l.id = (v_one->>'id')::uuid and l.call = (v_one->>'tc')::bigint and t.id = v_one->>'ts';
    if found then v_out := v_out || '{"ok":"held"}';
    else v_out := v_out || ${q}.fate_v1((v_one->>'id')::uuid, v_one->>'ts', (v_one->>'tc')::bigint, s.num, p_call); end if;
  end loop;
  select array_agg(id order by priority, seq) into v_ids from ${q}.lease where session = s.num and call = p_call;
  return json_build_object('applied', v_out, 'claimed', ${q}.claimed_v1(v_ids), 'now', ${q}.now_ms());
end $$;
`
