-- The picture that a show had before: pages that are open name it. For an hour, one a show.
create table former_pictures (
    show_id     uuid        primary key,
    hash        text        not null,
    small       bytea       not null,
    medium      bytea,
    large       bytea,
    replaced_at timestamptz not null
);
alter table former_pictures alter column small set storage external, alter column medium set storage external,
    alter column large set storage external;
create index former_pictures_by_time on former_pictures (replaced_at);

-- Pictures of shows that are long over are forgotten. Shows are few: nobody waits long for it.
-- squawk-ignore require-concurrent-index-creation
create index shows_with_pictures on shows (starts_at) where picture is not null;
