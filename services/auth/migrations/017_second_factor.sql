-- A second factor for who wants one: codes of a clock and a secret (RFC 6238), and codes for when the device is lost.
create table second_factors (
    user_id   uuid primary key,
    secret    bytea       not null, -- sealed by keys that are not here (sealed.h)
    sealed_at timestamptz not null default now(), -- by the key that was the first then
    confirmed boolean     not null default false, -- false: not on yet
    last_step bigint      not null default 0 -- of the clock, when a code was taken last: that one and those before it are taken no more
);
create table recovery_codes (
    user_id uuid  not null,
    hash    bytea not null, -- SHA-256 of whose it is and of the code, which is random
    primary key (user_id, hash)
);
