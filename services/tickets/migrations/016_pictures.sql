-- The pictures of shows, as they are sent out: WebP of three widths. What was uploaded is not kept.
create table show_pictures (
    show_id uuid  primary key, -- so a show has one picture, of at most 4 MiB
    hash    text  not null,    -- of the three together: it is in their addresses
    small   bytea not null,    -- 320 pixels wide
    medium  bytea,             -- 640; null: what was uploaded was not as wide
    large   bytea              -- 1280
);
-- They do not become smaller.
alter table show_pictures alter column small set storage external, alter column medium set storage external,
    alter column large set storage external;

-- What answers say of it: JSON. Null: there is none.
alter table shows add column picture text;
