-- Wrong passwords within a day that began at `started`. Of a machine that crashed they are forgotten.
create unlogged table failures (
    who     text primary key, -- the account, the address or the network (counted_as)
    count   int not null,
    started timestamptz not null,
    latest  timestamptz not null
);
create index failures_by_age on failures (started);
