-- The spine: what happened (events), what is decided about it (lanes), what is to be done (effects), and what pages show (runs, logs, artifacts).

-- A lane is everything that must be decided one after another: a change.
create table lanes (
    key           text primary key,
    state         json,
    version       bigint not null default 0,
    ready_at      timestamptz,               -- when its oldest event may be handled; null: nothing waits
    epoch         bigint not null default 0, -- grows with every claim: who holds an older one has lost the lane
    claimed_until timestamptz
);
create index lanes_ready on lanes (ready_at) where ready_at is not null;

create table events (
    id           bigint generated always as identity primary key,
    lane         text not null,
    body         json not null,
    state        smallint not null default 0,  -- 0 waits, 1 handled, 2 quarantined
    attempts     int not null default 0,       -- counted before it is handled: what kills the process is counted too
    received_at  timestamptz not null default now(),
    available_at timestamptz not null default now(),
    handled_at   timestamptz,
    reason       text
);
create index events_waiting on events (lane, id) where state = 0;
create index events_handled on events (handled_at) where state = 1;
create index events_quarantined on events (id) where state = 2;

create table effects (
    id             bigint generated always as identity primary key,
    key            text not null unique,        -- wanted at most once
    lane           text not null,
    pool           text not null,               -- which workers carry it out
    sequence       text,                        -- of two with the same, the earlier goes first
    body           json not null,
    state          smallint not null default 0, -- 0 waits or runs, 1 done, 2 given up
    attempts       int not null default 0,
    epoch          bigint not null default 0,
    stop_requested boolean not null default false,
    created_at     timestamptz not null default now(),
    available_at   timestamptz not null default now(),
    claimed_until  timestamptz,
    claimed_by     text,
    finished_at    timestamptz,
    reason         text
);
create index effects_waiting on effects (pool, id) where state = 0;
create index effects_sequence on effects (sequence, id) where state = 0 and sequence is not null;
create index effects_done on effects (finished_at) where state = 1;
create index effects_given_up on effects (id) where state = 2;

-- What exists once: the stream listener. Held for a while, renewed, taken over when not.
create table leases (
    name   text primary key,
    holder text not null,
    until  timestamptz not null,
    epoch  bigint not null default 1
);

create table facts (
    name  text primary key,
    value text not null
);

create table runs (
    id        bigint primary key,
    project   text not null,
    number    int not null,
    patch_set int not null,
    created   timestamptz not null,
    finished  timestamptz,
    result    text,                          -- null while it goes on
    hidden    boolean not null default false, -- of a change that may not be known
    doc       json not null
);
create index runs_recent on runs (id desc) where not hidden;
create index runs_active on runs (id) where result is null;
create index runs_of_project on runs (project, id desc) where not hidden;
create index runs_of_change on runs (project, number, id desc);

create table artifacts (
    run       bigint not null,
    stage     text not null,
    attempt   int not null,
    path      text not null,
    digest    text not null,
    size      bigint not null,
    is_report boolean not null,
    primary key (run, stage, attempt, path)
);
create index artifacts_digest on artifacts (digest);

-- The log of an attempt while it grows; afterwards the store has it whole.
create table logs (
    run     bigint not null,
    stage   text not null,
    attempt int not null,
    size    bigint not null default 0,
    lines   bigint not null default 0,
    digest  text,                            -- null while it grows
    primary key (run, stage, attempt)
);

create table log_chunks (
    run        bigint not null,
    stage      text not null,
    attempt    int not null,
    start      bigint not null,              -- its first byte's place in the log
    first_line bigint not null,              -- the number of lines that ended before it
    bytes      bytea not null,
    primary key (run, stage, attempt, start)
);

-- A source that is published once per tree.
create table snapshots (
    project    text not null,
    tree       text not null,
    history    boolean not null,
    digest     text not null,
    size       bigint not null,
    submodules json not null default '[]',
    created_at timestamptz not null default now(),
    primary key (project, tree, history)
);
