-- Whether a show is the user's, and may have another picture.
select r.ordinal,
       case when s.id is null or (s.user_id <> r.user_id and s.status <> 'announced') then 'missing'
            when s.user_id <> r.user_id then 'forbidden'
            when s.status = 'cancelled' then 'cancelled'
            else 'done' end as verdict
  from unnest($1::uuid[], $2::uuid[]) with ordinality as r (id, user_id, ordinal)
  left join shows s on s.id = r.id
 order by r.ordinal
