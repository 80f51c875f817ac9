-- Users, the log of what happened to them, and how often somebody tried.
create table users (
    id            uuid primary key, -- UUIDv7
    version       int  not null default 1,
    email         text not null, -- as its owner wrote it
    password_hash text not null, -- argon2id, with its parameters and salt
    signup_key    text           -- the Idempotency-Key of the sign-up
);
create unique index users_by_email on users (lower(email));
create unique index users_by_signup_key on users (signup_key) where signup_key is not null;

-- The event log: written by the statement that changes a user, published by logical replication.
create table user_events (
    seq         bigint generated always as identity primary key,
    type        text not null,
    id          uuid not null,
    version     int  not null,
    occurred_at timestamptz not null default now(),
    email       text not null,
    traceparent text
);

-- Attempts within a minute that began at `started`. Worth nothing after that minute, so not worth any WAL.
create unlogged table attempts (
    what    text not null, -- 'signin address', 'signin account', 'signup address', 'signup account'
    who     text not null, -- the address; the e-mail in lower case
    count   int  not null,
    started timestamptz not null,
    primary key (what, who)
);
create index attempts_by_age on attempts (started);

-- Changes a user whose password is still the one that was checked; null leaves a thing as it is. An e-mail that somebody else has
-- is found out by the unique index, the only judge that rivals in other transactions respect; `on conflict` would do, but updates
-- have none, so the error is caught here, before it can end the batch.
create function change_user(who uuid, checked_hash text, new_email text, new_hash text,
                            out verdict text, out version int, out email text)
language plpgsql as $$
#variable_conflict use_column
begin
    update users u
       set email = coalesce(new_email, u.email), password_hash = coalesce(new_hash, u.password_hash), version = u.version + 1
     where u.id = who and u.password_hash = checked_hash
    returning 'done', u.version, u.email into verdict, version, email;
    verdict := coalesce(verdict, 'stale');
exception when unique_violation then
    verdict := 'taken';
end $$;
