-- Letters to people: what is to be sent, and where the links in them lead.
alter table users add column verified boolean not null default true; -- false: nobody has followed the link that went to the address

-- The link of a letter. Its token is made of the id, by keys that are not here, so whoever reads this table follows no link.
create table links (
    id         uuid primary key, -- the letter's
    kind       text not null,    -- 'verify', 'reset'; 'none': there was nobody to write to, and the answer was to take as long
    user_id    uuid not null,
    email      text not null,    -- where the letter went: the link is void once the account has another address
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index links_by_user on links (user_id, created_at);
create index links_by_end on links (expires_at);

-- The event log of the topic letters.
create table letter_events (
    seq         bigint generated always as identity primary key,
    type        text not null,
    id          uuid not null,
    user_id     uuid not null,
    occurred_at timestamptz not null default now(),
    expires_at  timestamptz not null, -- not to be sent from then on
    email       text not null,
    language    text not null,
    traceparent text
);
