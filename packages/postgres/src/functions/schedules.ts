import { phase } from '../phases.ts'

/** Recurring records, locks, the configuration of queues, and the names everything is told by. */
export const schedules = (q: string): string => /* sql */ `
create function ${q}.recurring_put_v1(p_list jsonb) returns jsonb language plpgsql volatile as $$
declare v_one jsonb; v_out jsonb := '[]'; r ${q}.recurring; v_version bigint;
begin
  for v_one in select * from jsonb_array_elements(p_list) loop
    insert into ${q}.recurring (id, spec, job, version, gone) values (v_one->>'id', '', '{}', 0, true) on conflict do nothing;
    select * into r from ${q}.recurring where id = v_one->>'id' for update;
    v_version := case when r.gone then 0 else r.version end;
    if (v_one ? 'expect' and (v_one->>'expect')::bigint <> v_version)
      or (not r.gone and coalesce((v_one->>'revision')::bigint, 0) < coalesce(r.revision, 0)) then
      v_out := v_out || jsonb_build_object('ok', false, 'version', v_version);
      continue;
    end if;
    if r.gone or (r.spec, r.job) is distinct from (v_one->>'spec', v_one->'job') or r.error is distinct from v_one->>'error'
      or r.paused is distinct from v_one->'paused' or r.owner is distinct from v_one->>'owner' or r.revision is distinct from (v_one->>'revision')::bigint then
      v_version := r.version + 1;
      update ${q}.recurring set spec = v_one->>'spec', job = v_one->'job', next_at = (v_one->>'nextAt')::float8::bigint,
        last_at = coalesce((v_one->>'lastAt')::float8::bigint, case when not gone then last_at end),
        last_job = coalesce((v_one->>'lastJob')::uuid, case when not gone then last_job end),
        version = v_version, error = v_one->>'error', paused = v_one->'paused', owner = v_one->>'owner', revision = (v_one->>'revision')::bigint, gone = false
        where id = r.id;
    end if;
    v_out := v_out || jsonb_build_object('ok', true, 'version', v_version);
  end loop;
  return v_out;
end $$;

create function ${q}.recurring_remove_v1(p_list jsonb) returns jsonb language plpgsql volatile as $$
declare v_one jsonb; v_out jsonb := '[]'; v_gone boolean;
begin
  for v_one in select * from jsonb_array_elements(p_list) loop
    update ${q}.recurring set gone = true, next_at = null, last_at = null, last_job = null where id = v_one->>'id' and not gone
      and (not (v_one ? 'expect') or version = (v_one->>'expect')::bigint);
    v_gone := found;
    if v_gone then delete from ${q}.recurring_run where recurring = v_one->>'id'; end if;
    v_out := v_out || to_jsonb(v_gone);
  end loop;
  return v_out;
end $$;

create function ${q}.recurring_tick_v1(p_list jsonb, out reply jsonb, out topics text) language plpgsql volatile as $$
declare v_one jsonb; r ${q}.recurring; v_phase smallint; s ${q}.spot; v_created record;
begin
  reply := '[]';
  for v_one in select * from jsonb_array_elements(p_list) loop
    select * into r from ${q}.recurring where id = v_one->>'id' and not gone and version = (v_one->>'expect')::bigint for update;
    if not found then reply := reply || '{"ok":false}'; continue; end if;
    if v_one ? 'skip' then
      s := ${q}.find_v1((v_one->>'skip')::uuid);
      if s.id is not null and s.phase < ${phase.succeeded} then
        update ${q}.recurring set next_at = (v_one->>'nextAt')::float8::bigint, version = version + 1 where id = r.id;
        reply := reply || '{"ok":true,"skipped":true}';
        continue;
      end if;
    end if;
    update ${q}.recurring set next_at = (v_one->>'nextAt')::float8::bigint, version = version + 1, last_at = coalesce((v_one->>'lastAt')::float8::bigint, last_at),
      last_job = coalesce((v_one->>'lastJob')::uuid, last_job) where id = r.id;
    select * into v_created from ${q}.create_v1((v_one->'cp')::json, v_one->'cs', false);
    reply := reply || jsonb_build_object('ok', true, 'plain', coalesce(to_jsonb(v_created.plain), '[]'), 'slow', v_created.slow);
  end loop;
  topics := current_setting('q.topics', true);
end $$;

create function ${q}.queue_set_v1(p_num int, p_patch jsonb) returns void language plpgsql volatile as $$
begin
  update ${q}.queue set
    paused = case when p_patch ? 'paused' then nullif(p_patch->'paused', 'null') else paused end,
    max_active = case when p_patch ? 'maxActive' then (p_patch->>'maxActive')::int else max_active end,
    rate_max = case when p_patch ? 'rate' then (p_patch->'rate'->>'max')::int else rate_max end,
    rate_per = case when p_patch ? 'rate' then (p_patch->'rate'->>'per')::float8 else rate_per end
  where num = p_num;
  update ${q}.meta set queues = queues + 1;
end $$;

/* Numbers for names that are used for the first time. Committed at once: nobody ever waits for somebody's new name. */
create function ${q}.intern_v1(p_queues text[], p_names text[], p_tags text[], out queues jsonb, out names jsonb, out grown boolean) language plpgsql volatile as $$
begin
  insert into ${q}.queue (name) select x from unnest(p_queues) x where not exists (select from ${q}.queue where name = x) order by x on conflict do nothing;
  grown := found;
  if grown then update ${q}.meta set names = (select count(*) from ${q}.queue); end if;
  insert into ${q}.name (name) select x from unnest(p_names) x where not exists (select from ${q}.name where name = x) order by x on conflict do nothing;
  insert into ${q}.tag (name, seen_at) select x, ${q}.now_ms() from unnest(p_tags) x order by x on conflict (name) do update set seen_at = excluded.seen_at;
  select jsonb_object_agg(name, num) into queues from ${q}.queue where name = any (p_queues);
  select jsonb_object_agg(name, num) into names from ${q}.name where name = any (p_names);
end $$;

/*
 * Sends what other processes listen to; nothing when nobody does, since a notification takes a lock of the whole server
 * at commit. Says whether anybody watches single jobs.
 */
create function ${q}.poke_v1(p_channel text, p_from text, p_topics text[]) returns boolean language plpgsql volatile as $$
declare v_heard text[]; v_part text; v_topic text;
begin
  select array_agg(distinct t) into v_heard from ${q}.ear e, unnest(e.topics) t where e.seen_at > ${q}.now_ms() - 90000 and e.id <> p_from;
  if v_heard is null then return false; end if;
  v_part := p_from || chr(10);
  for v_topic in select unnest(p_topics) intersect select unnest(v_heard) loop
    if octet_length(v_part) + octet_length(v_topic) > 7000 then perform pg_notify(p_channel, v_part); v_part := p_from || chr(10); end if;
    v_part := v_part || v_topic || chr(10);
  end loop;
  if v_part <> p_from || chr(10) then perform pg_notify(p_channel, v_part); end if;
  return exists (select from unnest(v_heard) t where t like 'j:%');
end $$;
`
