import type { Tables } from '../tables.ts'

/**
 * Plain jobs of one list that follow each other share one row among the ready ones, a span: those born from `born` to
 * `last`, ready at the same instant, whose ids grow. A row of one job has both the same. A plain job stands where it
 * was born; a rare one at whatever place `seq` says.
 *
 * Jobs therefore lie in the order of their birth, found by their ids through an index: what comes last is added at the end.
 */
export const spanReadyJobs = (t: Tables): readonly string[] => [
  `alter table ${t.job} rename to ${t.job}_0001`,
  `create table ${t.job} (id text not null unique, queue integer, name integer, version integer, priority integer,
    seq integer primary key, created integer, state integer, by text, cold text, preview text, payload)`,
  `insert into ${t.job} select * from ${t.job}_0001 order by seq`,
  `drop table ${t.job}_0001`,

  `alter table ${t.ready} rename to ${t.ready}_0001`,
  // That nothing is null lets SQLite see in which order the jobs of several rows come.
  `create table ${t.ready} (queue integer not null, priority integer not null, seq integer not null,
    born integer not null, last integer not null, id text not null, at integer not null, name integer not null,
    rare integer not null, kept integer not null, primary key (queue, priority, seq)) without rowid`,
  `insert into ${t.ready} select r.queue, r.priority, r.seq, j.seq, j.seq, r.id, r.at, r.name, r.rare, r.kept
    from ${t.ready}_0001 r join ${t.job} j on j.id = r.id`,
  `drop table ${t.ready}_0001`,
  // What is rare is listed out of \`more\`. Spans of one instant never overlap, single jobs may stand in between.
  `create unique index ${t.ready}_at on ${t.ready} (at, id) where rare = 0 and last = born`,
  `create unique index ${t.ready}_span on ${t.ready} (at, id) where rare = 0 and last > born`,
]
