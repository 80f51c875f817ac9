-- A show's picture of a width, or the one before it; null: it is not as wide.
select r.ordinal, case r.width when 320 then p.small when 640 then p.medium when 1280 then p.large end as file
  from unnest($1::uuid[], $2::text[], $3::int4[]) with ordinality as r (show_id, hash, width, ordinal)
 cross join lateral (select n.small, n.medium, n.large from show_pictures n where n.show_id = r.show_id and n.hash = r.hash
                     union all
                     select f.small, f.medium, f.large from former_pictures f where f.show_id = r.show_id and f.hash = r.hash
                     limit 1) p
 order by r.ordinal
