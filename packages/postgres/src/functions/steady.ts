/** Planned once for every connection, before the tables have grown: only plans that hold for any size may be chosen. */
export const steady: string =
  'set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off set plan_cache_mode = force_generic_plan set jit = off'
