import { flag } from '../flags.ts'
import { phase } from '../phases.ts'

/** Transitions: the end of a run, named by its token, and commands, named by the phase they expect. */
export const apply = (q: string): string => /* sql */ `
create function ${q}.apply_v1(p_list jsonb, out outcomes jsonb, out topics text) language plpgsql volatile as $$
declare v_now bigint; v_one jsonb;
begin
  perform ${q}.lock_gates_v1(array(select (e->>'id')::uuid from jsonb_array_elements(p_list) e));
  v_now := ${q}.now_ms();
  outcomes := '[]';
  for v_one in select * from jsonb_array_elements(p_list) loop
    outcomes := outcomes || ${q}.apply_one_v1(v_one, v_now, null, null);
  end loop;
  topics := current_setting('q.topics', true);
end $$;

/* A follow-up whose unique key an open transaction holds undoes its transition: the claim stands. */
create function ${q}.apply_one_v1(p jsonb, p_now bigint, p_session int, p_call bigint) returns jsonb language plpgsql volatile as $$
begin
  if p->'uq' is null then return ${q}.carry_out_v1(p, p_now, p_session, p_call); end if;
  perform set_config('lock_timeout', '1000', true);
  return ${q}.carry_out_v1(p, p_now, p_session, p_call);
exception when lock_not_available then
  return '{"ok":"busy"}';
end $$;

/* What became of a claim that does not stand any more. */
create function ${q}.fate_v1(p_id uuid, p_token_session text, p_token_call bigint, p_session int, p_call bigint) returns jsonb language plpgsql volatile as $$
declare v_num int;
begin
  if p_session is not null then
    select num into v_num from ${q}.session where id = p_token_session;
    if v_num = p_session then
      perform 1 from ${q}.done_v1(p_id) where session = v_num and call = p_token_call and done_call = p_call
      union all select 1 from ${q}.history where id = p_id and session = v_num and call = p_token_call and done_call = p_call
      union all select 1 from ${q}.stub where id = p_id and session = v_num and call = p_token_call and done_call = p_call;
      if found then return '{"ok":"already"}'; end if;
    end if;
  end if;
  perform 1 from ${q}.job where id = p_id union all select 1 from ${q}.stub where id = p_id and until > ${q}.now_ms();
  return case when found then '{"ok":"stale"}' else '{"ok":"missing"}' end;
end $$;

create function ${q}.carry_out_v1(p jsonb, p_now bigint, p_session int, p_call bigint) returns jsonb language plpgsql volatile as $$
declare
  v_id uuid := (p->>'id')::uuid; s ${q}.spot; w ${q}.wish; j ${q}.job; u ${q}.uniq; v_released int; v_created record;
  v_token boolean := p ? 'tc'; v_command text := p->>'cm'; v_to jsonb := p->'to'; v_via jsonb := p->'via'; v_by text; v_how jsonb := '{}';
  v_phase smallint := (p->'to'->>'phase')::smallint; v_state text; v_server text; v_session text; v_flags int; v_undone boolean; v_parked_for text; v_until bigint;
begin
  s := ${q}.find_v1(v_id);
  if s.phase = ${phase.active} then select server, id into v_server, v_session from ${q}.session where num = s.session; end if;
  if v_token then
    if s.phase is distinct from ${phase.active} or s.call <> (p->>'tc')::bigint or v_session <> p->>'ts' then
      if p_session is not null then delete from ${q}.voided v where v.session = p_session and v.id = v_id and v.call = (p->>'tc')::bigint; end if;
      return ${q}.fate_v1(v_id, p->>'ts', (p->>'tc')::bigint, p_session, p_call);
    end if;
  else
    if s.id is null then
      perform 1 from ${q}.stub where id = v_id and until > p_now and v_command = any (commands);
      return case when found then '{"ok":"already"}' else '{"ok":"missing"}' end;
    end if;
    if v_command is not null then
      perform 1 from ${q}.command where id = v_id and command = v_command;
      if found then return '{"ok":"already"}'; end if;
    end if;
    v_state := ${q}.present_record(s.id, s.phase, s.n, s.at, s.attempt, s.session, s.claim_state)->>'name';
    perform 1 from jsonb_array_elements(p->'from') f
      where case when jsonb_typeof(f) = 'number' then f::text::int = s.phase else f->>'state' = v_state end;
    if not found or (s.phase = ${phase.active} and (p->'fo') is null and v_phase < ${phase.succeeded}) then
      return jsonb_build_object('ok', 'refused', 'phase', s.phase, 'state', v_state);
    end if;
    if v_command is not null then
      insert into ${q}.command (id, command) values (v_id, v_command);
      delete from ${q}.command where id = v_id and k <= (select k from ${q}.command where id = v_id order by k desc offset 16 limit 1);
    end if;
    if s.phase = ${phase.active} and (p->'fo') is null then
      if s.flags & ${flag.wished} = 0 then
        insert into ${q}.wish (id, state, keep, by, command, grace) values (v_id, v_to, p->'kp', coalesce(p->>'by', ''), v_command, (p->>'gr')::float8) on conflict do nothing;
        update ${q}.lease set flags = flags | ${flag.wished} where id = v_id;
        perform ${q}.wakes('s:' || v_session), ${q}.wakes('j:' || v_id);
      end if;
      return '{"ok":"signalled"}';
    end if;
  end if;

  v_flags := s.flags; v_undone := p->>'am' = 'undo' and s.phase = ${phase.active};
  v_parked_for := p->>'pf';
  v_by := coalesce(p->>'by', case when v_token then v_server else '' end);
  if v_undone and v_phase = ${phase.ready} and s.flags & ${flag.adopted} <> 0 then
    -- it would meet servers that do not know it: it never passes through ready
    v_parked_for := s.parked_for; v_phase := ${phase.parked}; v_to := v_to || '{"phase":${phase.parked}}';
  end if;
  if v_command is not null then v_how := v_how || jsonb_build_object('command', v_command); end if;
  if p ? 'kp' then v_how := v_how || jsonb_build_object('keep', p->'kp'); end if;
  if s.flags & ${flag.wished} <> 0 and v_phase < ${phase.succeeded} then
    select * into w from ${q}.wish where id = v_id;
    v_to := w.state; v_phase := (w.state->>'phase')::smallint; v_by := w."by"; v_how := '{}'; v_parked_for := null;
    if w.keep is not null then v_how := jsonb_build_object('keep', w.keep); end if;
    if w.command is not null then v_how := v_how || jsonb_build_object('command', w.command); end if;
  else
    v_how := v_how || jsonb_strip_nulls(jsonb_build_object('queue', p->'q', 'priority', p->'pr', 'parkedFor', v_parked_for,
      'due', coalesce((p->>'at')::float8, p_now + coalesce((p->>'dl')::float8, 0)),
      'keepPlace', v_undone and not (p ? 'q') and not (p ? 'pr')));
  end if;
  v_how := v_how || jsonb_strip_nulls(jsonb_build_object('ran', p->'rn', 'doneCall', case when v_token then p_call end));
  if v_undone then v_how := v_how || jsonb_build_object('attempt', greatest(0, s.attempt - 1));
  elsif p->>'am' = 'reset' then v_how := v_how || '{"attempt":0,"crashes":0}'; end if;

  if s.phase >= ${phase.succeeded} and v_phase < ${phase.succeeded} then
    if v_flags & ${flag.uniqueUntilFinal} <> 0 then
      select * into j from ${q}.job where id = v_id;
      v_until := j.created_at + (j.rare->'unique'->>'ttl')::float8::bigint;
      if v_until is null or v_until > p_now then
        loop
          insert into ${q}.uniq (key, id, expires_at) values (j.rare->'unique'->>'key', v_id, v_until) on conflict do nothing;
          exit when found;
          select * into u from ${q}.uniq where key = j.rare->'unique'->>'key' for update;
          continue when not found;
          exit when u.id = v_id;
          if u.expires_at is null or u.expires_at > p_now then
            if v_command is not null then delete from ${q}.command where id = v_id and command = v_command; end if;
            return jsonb_build_object('ok', 'duplicate', 'holder', u.id);
          end if;
          update ${q}.uniq set id = v_id, expires_at = v_until where key = u.key;
          exit;
        end loop;
      end if;
    end if;
    -- asked for again by hand: its time to start is over and done with
    v_flags := v_flags & ~${flag.expires};
  end if;
  if p ? 'pm' then
    insert into ${q}.extra (id, params) select id, jsonb_strip_nulls(coalesce(params, '{}') || (p->'pm')) from ${q}.job where id = v_id
      on conflict (id) do update set params = jsonb_strip_nulls(coalesce(extra.params, (select params from ${q}.job where id = v_id), '{}') || (p->'pm'));
    v_flags := v_flags | ${flag.extra};
  end if;
  if s.phase = ${phase.active} and not v_token then
    insert into ${q}.voided (session, id, call, reason) values (s.session, v_id, s.call, p->'to'->>'reason') on conflict do nothing;
    perform ${q}.wakes('s:' || v_session);
  end if;
  perform ${q}.enter_v1(s, p_now, v_by, v_to, v_via, v_how || jsonb_build_object('flags', v_flags));
  select released into v_released from ${q}.settle_v1(500, true, p_now);
  if p ? 'cp' or p ? 'cs' then
    select * into v_created from ${q}.create_v1((p->'cp')::json, p->'cs', false);
    perform ${q}.wakes('q:' || x.queue) from (
      select distinct (e->>'q')::int as queue from jsonb_array_elements(coalesce(p->'cp', '[]') || coalesce(p->'cs', '[]')) e) x;
    return jsonb_build_object('ok', 'applied', 'released', v_released, 'plain', coalesce(to_jsonb(v_created.plain), '[]'), 'slow', v_created.slow);
  end if;
  return jsonb_build_object('ok', 'applied', 'released', v_released);
end $$;
`
