-- Which sessions people have. A row ends with its session; one that has expired is swept.
create table sessions (
    id         uuid primary key, -- in the token, as `sid`
    user_id    uuid not null,
    version    int  not null, -- of its user's sessions when it began; with a lower one than he has it has ended
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    address    text not null, -- where it was begun
    browser    text           -- in a word; null: not known
);
create index sessions_by_user on sessions (user_id, created_at);
create index sessions_by_end on sessions (expires_at);
