// The tables of the control plane. Times are milliseconds since 1970 unless the name ends in `_ns`.
// A run's decisive state is one JSON column, copied into columns only where a query needs it.

/** Raised when a table changes, with the way there in `MIGRATIONS`. */
export const SCHEMA_VERSION = 2;

/** What makes a file of the version that is the key one of the next version, before `SCHEMA`. */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  // Nothing had waited in that version: its table of waitpoints was always empty.
  1: `
drop table waitpoints;
alter table runs add column queue text not null default '';
alter table runs add column concurrency_key text not null default '';
update runs set queue = json_extract(facts, '$.queue'),
  concurrency_key = coalesce(json_extract(facts, '$.concurrencyKey'), '');
`,
};

export const SCHEMA = `
create table if not exists runs (
  seq integer primary key autoincrement,
  id text not null unique,
  task text not null,
  branch text,
  queue text not null default '',
  concurrency_key text not null default '',
  status text not null,
  execution text not null,
  snapshot_id text not null,
  queued_at integer not null,
  priority_ms integer not null default 0,
  not_before integer,
  deadline integer,
  worker_id text,
  state text not null,
  facts text not null,
  payload text,
  payload_type text not null,
  output text,
  output_type text,
  error text,
  metadata text,
  parent_id text,
  root_id text,
  trace_id text not null,
  created_at integer not null,
  updated_at integer not null,
  finished_at integer
);
create index if not exists runs_by_queue on runs (execution, queued_at);
create index if not exists runs_by_deadline on runs (deadline) where deadline is not null;
create index if not exists runs_by_trace on runs (trace_id);
create index if not exists runs_by_parent on runs (parent_id) where parent_id is not null;

create table if not exists attempts (
  run_id text not null,
  number integer not null,
  started_at integer not null,
  finished_at integer,
  status text not null,
  machine text,
  error text,
  primary key (run_id, number)
);

create table if not exists snapshots (
  id text primary key,
  run_id text not null,
  execution text not null,
  run_status text not null,
  attempt integer not null,
  description text not null,
  created_at integer not null
);
create index if not exists snapshots_by_run on snapshots (run_id, created_at);

create table if not exists tags (
  run_id text not null,
  tag text not null,
  primary key (run_id, tag)
);
create index if not exists tags_by_tag on tags (tag);

create table if not exists idempotency_keys (
  task text not null,
  key text not null,
  run_id text not null,
  expires_at integer not null,
  primary key (task, key)
);

create table if not exists request_keys (
  key text primary key,
  run_id text not null,
  created_at integer not null
);

create table if not exists waitpoints (
  id text primary key,
  type text not null,
  run_id text unique,
  completed_after integer,
  completed_at integer,
  key text unique,
  key_expires_at integer,
  created_at integer not null
);
create index if not exists waitpoints_by_end on waitpoints (completed_after)
  where completed_at is null and completed_after is not null;

create table if not exists blocks (
  run_id text not null,
  waitpoint_id text not null,
  batch_id text not null default '',
  position integer not null default 0,
  primary key (run_id, waitpoint_id, batch_id, position)
);
create index if not exists blocks_by_waitpoint on blocks (waitpoint_id);

create table if not exists completions (
  snapshot_id text not null,
  run_id text not null,
  waitpoint_id text not null,
  batch_id text not null,
  position integer not null,
  primary key (snapshot_id, waitpoint_id, batch_id, position)
);
create index if not exists completions_by_run on completions (run_id);

create table if not exists batches (
  id text primary key,
  run_count integer not null,
  parent_id text,
  waits integer not null,
  key text unique,
  key_expires_at integer,
  sealed_at integer,
  created_at integer not null
);

create table if not exists batch_items (
  batch_id text not null,
  position integer not null,
  run_id text not null,
  primary key (batch_id, position)
);

create table if not exists packets (
  path text primary key,
  content_type text not null,
  data text not null,
  created_at integer not null
);

create table if not exists workers (
  seq integer primary key autoincrement,
  id text not null unique,
  version text not null,
  content_hash text not null,
  branch text,
  metadata text not null,
  created_at integer not null
);

create table if not exists spans (
  run_id text not null,
  trace_id text not null,
  span_id text not null,
  parent_id text,
  name text not null,
  start_ns text not null,
  end_ns text not null,
  status text not null,
  attributes text not null,
  events text not null,
  partial integer not null,
  primary key (run_id, span_id)
);

create table if not exists logs (
  seq integer primary key autoincrement,
  run_id text not null,
  kind text not null,
  time_ns text not null,
  severity text not null,
  body text not null,
  attributes text not null,
  span_id text
);
create index if not exists logs_by_run on logs (run_id, seq);

create table if not exists events (
  seq integer primary key autoincrement,
  at real not null,
  type text not null,
  run_id text,
  data text not null
);
create index if not exists events_by_run on events (run_id);
`;
