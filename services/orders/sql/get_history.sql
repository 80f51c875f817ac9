-- What happened to orders, oldest first, as far back as the event log goes. An order without events left has one row, without a type.
select r.ordinal, o.user_id, e.type, e.status, e.version, e.occurred_at, e.reason
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join orders o on o.id = r.id
  left join order_events e on e.id = o.id
 order by r.ordinal, e.version
