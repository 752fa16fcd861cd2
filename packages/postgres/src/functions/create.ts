import { entered } from '@q/core/storage'
import { flag } from '../flags.ts'
import { payloadSeparator } from '../payload.ts'
import { phase } from '../phases.ts'
import { stored } from '../stored-state.ts'
import { steady } from './steady.ts'

const separator = [...payloadSeparator].map((character) => `chr(${character.charCodeAt(0)})`).join(' || ')

/**
 * Creation. p_plain: jobs that take nothing shared; one statement stores them all. p_slow: jobs with parents, a unique
 * key or an occurrence, one after another, parents of the same list first. `i` is the place in the caller's list.
 */
export const create = (q: string): string => /* sql */ `
create function ${q}.create_v1(p_plain json, p_slow jsonb, p_within boolean, out plain int[], out slow jsonb) language plpgsql volatile ${steady} as $$
declare
  v_now bigint := ${q}.now_ms(); v_place bigint := ${q}.next_place(); v_one jsonb; v_stubs boolean;
begin
  -- Of jobs that are there already nothing is stored, and only when there are such are they looked for. Those that another
  -- call stores at this very moment are there the next time.
  v_stubs := exists (select from ${q}.stub);
  for v_try in 1 .. case when p_plain is null then 0 else 3 end loop
    begin
      with inp as materialized (
        select x.*, x.ph = ${phase.scheduled} and coalesce(x.at::bigint, v_now + coalesce(x.dl, 0)::bigint) <= v_now as past
        from json_to_recordset(p_plain) as x(i int, id uuid, q int, nm int, v int, pr int, ph smallint, fl int, pl text, pv text, "by" text, tg text[],
          pm jsonb, ra jsonb, cl int, ex float8, at float8, dl float8)
        where (v_try = 1 or not exists (select from ${q}.job j where j.id = x.id))
          and not (v_stubs and exists (select from ${q}.stub s where s.id = x.id and s.until > v_now))
        order by x.id
      ), j as (
        insert into ${q}.job (id, created_at, expires_at, queue, name, version, priority, crash_limit, payload, preview, by, tags, params, rare)
        select id, v_now, v_now + ex::bigint, q, nm, v, pr, cl, pl, pv, "by", tg, pm, ra from inp
      ), p as (
        insert into ${q}.pending (id, seq, at, due_at, expires_at, queue, name, priority, attempt, crashes, n, flags, phase)
        select id, v_place + i, v_now, case when ph = ${phase.scheduled} and not past then coalesce(at::bigint, v_now + coalesce(dl, 0)::bigint) end,
          v_now + ex::bigint, q, nm, pr, 0, 0, case when past then 2 else 1 end, fl, case when past then ${phase.ready} else ph end
        from inp
      ), h as (
        insert into ${q}.history (id, n, records)
        select id, 2, jsonb_build_array('${stored(entered.promoted)}'::jsonb || jsonb_build_object('n', 2, 'at', v_now, 'attempt', 0, 'by', ''))
        from inp where past
      ), t as (
        insert into ${q}.tally (at, queue, name, d, created)
        select v_now, q, nm, array[0, count(*) filter (where ph = ${phase.scheduled} and not past), count(*) filter (where ph = ${phase.ready} or past), 0, 0, 0, 0, 0],
          count(*) from inp group by q, nm
      )
      select array_agg(i) into plain from inp;
      exit;
    exception when unique_violation then
      if v_try = 3 then raise; end if;
    end;
  end loop;
  slow := '[]';
  if p_slow is not null then
    for v_one in select * from jsonb_array_elements(p_slow) loop
      slow := slow || (${q}.create_one_v1(v_one, v_now, v_place + (v_one->>'i')::int, p_within) || jsonb_build_object('i', v_one->'i'));
      perform ${q}.settle_v1(500, true, v_now);
    end loop;
  end if;
end $$;

/*
 * Jobs that differ in nothing but id and payload, as most lists are. All or none: false when one of them is there already,
 * or was until of late, and create_v1 has to sort them out.
 */
create function ${q}.create_alike_v1(p_like json, p_ids uuid[], p_payloads text) returns boolean language plpgsql volatile ${steady} as $$
declare
  v_now bigint := ${q}.now_ms(); v_place bigint := ${q}.next_place(); v_payloads text[] := string_to_array(p_payloads, ${separator});
  v_count int := cardinality(p_ids); x record; v_due bigint; v_d int[] := '{0,0,0,0,0,0,0,0}'; v_n int := 1; v_phase smallint;
begin
  if cardinality(v_payloads) <> v_count then return false; end if;
  perform 1 from unnest(p_ids) i where exists (select from ${q}.stub s where s.id = i and s.until > v_now) limit 1;
  if found then return false; end if;
  select * into x from json_to_record(p_like) as x(q int, nm int, v int, pr int, ph smallint, fl int, "by" text, tg text[], pm jsonb, ra jsonb, cl int, ex float8, at float8, dl float8);
  v_phase := x.ph;
  if v_phase = ${phase.scheduled} then
    v_due := coalesce(x.at::bigint, v_now + coalesce(x.dl, 0)::bigint);
    if v_due <= v_now then
      v_due := null; v_phase := ${phase.ready}; v_n := 2;
      insert into ${q}.history (id, n, records)
        select id, 2, jsonb_build_array('${stored(entered.promoted)}'::jsonb || jsonb_build_object('n', 2, 'at', v_now, 'attempt', 0, 'by', '')) from unnest(p_ids) id;
    end if;
  end if;
  -- in the order of the ids: each index grows at its end
  insert into ${q}.job (id, created_at, expires_at, queue, name, version, priority, crash_limit, payload, by, tags, params, rare)
    select id, v_now, v_now + x.ex::bigint, x.q, x.nm, x.v, x.pr, x.cl, payload, x."by", x.tg, x.pm, x.ra from unnest(p_ids, v_payloads) u(id, payload) order by id;
  insert into ${q}.pending (id, seq, at, due_at, expires_at, queue, name, priority, attempt, crashes, n, flags, phase)
    select id, v_place + i, v_now, v_due, v_now + x.ex::bigint, x.q, x.nm, x.pr, 0, 0, v_n, x.fl, v_phase from unnest(p_ids) with ordinality u(id, i) order by id;
  v_d[v_phase + 1] := v_count;
  insert into ${q}.tally (at, queue, name, d, created) values (v_now, x.q, x.nm, v_d, v_count);
  return true;
exception when unique_violation then
  return false;
end $$;

create function ${q}.create_one_v1(p jsonb, p_now bigint, p_seq bigint, p_within boolean) returns jsonb language plpgsql volatile as $$
declare
  v_id uuid := (p->>'id')::uuid; v_edge jsonb; s ${q}.spot; u ${q}.uniq; h ${q}.spot; v_replaced uuid; v_phase smallint := (p->>'ph')::smallint;
  v_flags int := (p->>'fl')::int; v_key text := p->'ra'->'unique'->>'key'; v_due bigint; v_d int[] := '{0,0,0,0,0,0,0,0}'; v_unique_until bigint;
begin
  perform 1 from ${q}.job where id = v_id union all select 1 from ${q}.stub where id = v_id and until > p_now;
  if found then return '{"ok":"exists"}'; end if;
  if p ? 'ci' then
    perform 1 from ${q}.job where id in (select c::uuid from jsonb_array_elements_text(p->'ci') c);
    if not found then return '{"ok":"circle"}'; end if;
  end if;
  for v_edge in select e from jsonb_array_elements(coalesce(p->'af', '[]')) e order by e->>'parent' loop
    if not (v_edge->>'met')::boolean then
      perform 1 from ${q}.job where id = (v_edge->>'parent')::uuid;
      if not found then return jsonb_build_object('ok', 'orphan', 'missing', v_edge->>'parent'); end if;
    end if;
  end loop;
  if v_key is not null then
    v_unique_until := p_now + (p->'ra'->'unique'->>'ttl')::float8::bigint;
    loop
      insert into ${q}.uniq (key, id, expires_at) values (v_key, v_id, v_unique_until) on conflict (key) do nothing;
      exit when found;
      select * into u from ${q}.uniq where key = v_key for update;
      continue when not found;
      if u.expires_at <= p_now then
        update ${q}.uniq set id = v_id, expires_at = v_unique_until where key = v_key;
        exit;
      end if;
      if p->'ra'->'unique'->>'conflict' <> 'replace' then return jsonb_build_object('ok', 'duplicate', 'holder', u.id); end if;
      h := ${q}.find_v1(u.id);
      if h.phase = ${phase.active} or h.phase >= ${phase.succeeded} or h.id is null then return jsonb_build_object('ok', 'duplicate', 'holder', u.id); end if;
      perform ${q}.enter_v1(h, p_now, '', jsonb_build_object('name', 'deleted', 'phase', ${phase.deleted}, 'reason', 'replaced by ' || ${q}.id_text(v_id)), null, '{}');
      v_replaced := u.id;
    end loop;
  end if;

  insert into ${q}.job (id, created_at, expires_at, queue, name, version, priority, crash_limit, payload, preview, by, tags, params, rare)
    select v_id, p_now, p_now + x.ex::bigint, x.q, x.nm, x.v, x.pr, x.cl, x.pl, x.pv, x."by", x.tg, x.pm, x.ra
    from jsonb_to_record(p) as x(q int, nm int, v int, pr int, pl text, pv text, "by" text, tg text[], pm jsonb, ra jsonb, cl int, ex float8)
    on conflict (id) do nothing;
  if not found then
    if v_key is not null then delete from ${q}.uniq where key = v_key and id = v_id; end if;
    return '{"ok":"exists"}';
  end if;
  if v_phase = ${phase.scheduled} then v_due := coalesce((p->>'at')::float8::bigint, p_now + coalesce((p->>'dl')::float8, 0)::bigint); end if;
  insert into ${q}.pending (id, seq, at, due_at, expires_at, queue, name, priority, attempt, crashes, n, flags, phase)
    values (v_id, p_seq, p_now, v_due, p_now + (p->>'ex')::float8::bigint, (p->>'q')::int, (p->>'nm')::int, (p->>'pr')::int, 0, 0, 1, v_flags, v_phase);
  v_d[v_phase + 1] := 1;
  insert into ${q}.tally (at, queue, name, d, created) values (p_now, (p->>'q')::int, (p->>'nm')::int, v_d, 1);
  if v_flags & ${flag.occurrence} <> 0 then
    insert into ${q}.recurring_run (recurring, at, job, phase) values (p->'ra'->'recurring'->>'id', (p->'ra'->'recurring'->>'at')::float8::bigint, v_id, v_phase) on conflict do nothing;
    delete from ${q}.recurring_run where recurring = p->'ra'->'recurring'->>'id' and (at, job) not in (
      select at, job from ${q}.recurring_run where recurring = p->'ra'->'recurring'->>'id' order by at desc, job desc limit 50);
  end if;
  if v_due <= p_now then
    s := ${q}.find_v1(v_id);
    perform ${q}.enter_v1(s, p_now, '', '${stored(entered.promoted)}', null, '{"keepPlace":true}');
  end if;
  if v_phase = ${phase.awaiting} then
    -- a mask of 0: that parent was not there, and a job that takes its id later has no child in this one
    insert into ${q}.edge (parent, child, mask, missing_met, open)
      select x.parent, v_id, case when exists (select from ${q}.job where id = x.parent) then bit_or(x.mask) else 0 end, bool_or(x.met), true
      from (select (e->>'parent')::uuid as parent, (e->>'mask')::smallint as mask, (e->>'met')::boolean as met from jsonb_array_elements(p->'af') e) x
      group by x.parent order by x.parent;
    if p_within then
      insert into ${q}.owed (job, is_child, at, tx) values (v_id, true, p_now, '0');
    else
      -- released at once it stands where it stands in its list
      perform ${q}.decide_child_v1(${q}.find_v1(v_id), p_now, true);
    end if;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('ok', 'created', 'replaced', v_replaced));
end $$;
`
