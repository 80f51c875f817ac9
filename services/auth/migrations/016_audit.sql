-- The log of the topic audit: who did what to an account, and who tried. Written by the statement that does it.
create table audit_events (
    seq         bigint generated always as identity primary key,
    type        text not null,
    id          uuid not null default gen_random_uuid(),
    occurred_at timestamptz not null default now(),
    outcome     text not null, -- Done, Refused
    reason      text,
    user_id     uuid,          -- whose account it is; null: nobody's
    session_id  uuid,          -- that it was done with, or that began by it
    subject_id  uuid,          -- what it was done to, if that is not the account
    address     text not null, -- '': the client had left
    network     text not null,
    traceparent text
);
