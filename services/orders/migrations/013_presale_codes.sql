-- Codes that let people buy in a phase that asks for one. Only their hashes are kept: the first half of the SHA-256.
create table codes (
    hash    uuid primary key,
    show_id uuid not null,
    uses    int  not null, -- by how many people it can be spent
    used    int  not null default 0
);

-- What one request made. With its Idempotency-Key, of which the hash is kept, its codes can be made again from the salt.
create table code_batches (
    id      uuid primary key,
    user_id uuid not null,
    key     uuid,          -- null: it came without
    show_id uuid not null,
    count   int  not null,
    uses    int  not null,
    salt    uuid not null,
    unique (user_id, key)
);
create index code_batches_by_show on code_batches (show_id);

-- Who has spent a code of a show, and thus can buy in all of its phases that ask for one.
create table code_uses (
    show_id uuid not null,
    user_id uuid not null,
    hash    uuid not null,
    primary key (show_id, user_id)
);
