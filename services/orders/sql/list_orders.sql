-- A page of a buyer's orders, newest first, of those older than `before`.
select r.ordinal, o.id, o.status, o.expires_at, o.user_id, o.version, o.ticket_id, o.title, o.price, o.currency, o.ticket_version,
       o.reason, o.show_id
  from unnest($1::uuid[], $2::uuid[], $3::int4[]) with ordinality as r (user_id, before, most, ordinal)
 cross join lateral (
    select * from orders o
     where o.user_id = r.user_id and o.id < r.before
     order by o.id desc
     limit r.most) o
 order by r.ordinal, o.id desc
