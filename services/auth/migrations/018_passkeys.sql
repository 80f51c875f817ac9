-- Passkeys (WebAuthn): their owners sign in by a device of theirs.
create table passkeys (
    id         uuid primary key default gen_random_uuid(),
    user_id    uuid   not null,
    credential bytea  not null, -- the authenticator's id of it
    algorithm  int    not null, -- as COSE has it
    public_key bytea  not null,
    sign_count bigint not null, -- of its signatures, as the authenticator said last; 0: it does not count
    name       text   not null, -- its owner's
    added_at   timestamptz not null default now(),
    used_at    timestamptz
);
create unique index passkeys_by_credential on passkeys (credential);
create index passkeys_by_user on passkeys (user_id, added_at);

-- Challenges that were signed, until they are over: each counts once.
create table used_challenges (
    user_id    uuid  not null,
    nonce      bytea not null,
    expires_at timestamptz not null default now() + interval '15 minutes', -- later than it is over, by any clock
    primary key (user_id, nonce)
);
create index used_challenges_by_end on used_challenges (expires_at);
