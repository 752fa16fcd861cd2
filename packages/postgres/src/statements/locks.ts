import type { Statement } from '../statement.ts'

/** Nothing comes back while another holds it. The fence comes from one sequence for all names, so it grows even when a row was swept. */
export const acquireLock: Statement<[name: string, owner: string, ttl: number], { fence: string; expires_at: string }> =
  {
    name: 'acquire-lock',
    text: (q) => /* sql */ `
    insert into ${q}.lock as l (name, owner, fence, expires_at) values ($1, $2, nextval('${q.replaceAll("'", "''")}.fence'), ${q}.now_ms() + $3::float8::bigint)
    on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at,
      fence = case when l.owner = excluded.owner and l.expires_at > ${q}.now_ms() then l.fence else excluded.fence end
    where l.owner = excluded.owner or l.expires_at <= ${q}.now_ms()
    returning fence, expires_at`,
  }

export const releaseLock: Statement<[name: string, owner: string], { name: string }> = {
  name: 'release-lock',
  text: (q) =>
    /* sql */ `delete from ${q}.lock where name = $1 and owner = $2 and expires_at > ${q}.now_ms() returning name`,
}
