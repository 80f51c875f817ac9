-- Keeps settings: of each item an object of names and values; null: as at first again. Of one that comes twice the last counts.
with req as (
    select * from unnest($1::text[]) with ordinality as r (doc, ordinal)
), pair as (
    select distinct on (p.key) p.key as name, p.value
      from req r cross join lateral jsonb_each_text(r.doc::jsonb) p
     order by p.key, r.ordinal desc
), forgotten as (
    delete from settings where name in (select name from pair where value is null)
), kept as (
    insert into settings (name, value) select name, value from pair where value is not null order by name
        on conflict (name) do update set value = excluded.value
)
select ordinal from req order by ordinal
