-- Orders by id.
select r.ordinal, o.id, o.status, o.expires_at, o.user_id, o.version, o.ticket_id, o.title, o.price, o.currency, o.ticket_version,
       o.reason, o.show_id
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join orders o on o.id = r.id
 order by r.ordinal
