-- A show's picture of a width; null: it is not as wide.
select r.ordinal, case r.width when 320 then p.small when 640 then p.medium when 1280 then p.large end as file
  from unnest($1::uuid[], $2::text[], $3::int4[]) with ordinality as r (show_id, hash, width, ordinal)
  join show_pictures p on p.show_id = r.show_id and p.hash = r.hash
 order by r.ordinal
