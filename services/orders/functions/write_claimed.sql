-- Writes the orders of requests whose tickets are known, and their events. Orders go in by ticket id, as in place_order.sql.
create or replace function write_claimed_from(requests purchase_request[], origins purchase_origin[], askers purchase_asker[])
returns table (ordinal bigint, verdict text, remaining int, placed orders) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    with request as materialized (
        select r.*, cardinality(r.tickets) as size,
               array(select hold_slot from orders o where o.user_id = r.user_id and o.hold_slot is not null) as taken
          from unnest(requests) r
    ), wanted as (
        select r.*, i.ticket_id, i.nth from request r cross join lateral unnest(r.tickets) with ordinality as i (ticket_id, nth)
    ), written as (
        insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                            ticket_version, hold_slot, idempotency_key, idempotency_hash, purchase_size, show_id, network)
        select order_of(w.id, w.size, w.nth::int), 1, t.id, w.user_id, t.user_id, 'created',
               date_trunc('milliseconds', now()) + w.hold_seconds * interval '1 s',
               date_trunc('milliseconds', now()) + (w.hold_seconds + w.grace_seconds) * interval '1 s',
               t.price, t.currency, t.title, t.version,
               case w.taken when '{}' then w.nth - 1
                            else (select slot from generate_series(0, w.most - 1) slot where slot <> all (w.taken)
                                   order by slot offset w.nth - 1 limit 1) end,
               case w.nth when 1 then w.key end, case when w.nth = 1 and w.key is not null then w.hash end, w.size, t.show_id,
               case w.nth when 1 then (origins[w.ordinal::int]).network end
          from wanted w
          join tickets t on t.id = w.ticket_id
         order by t.id
        returning *
    ), event as (
        insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                                  ticket_version, traceparent, purchase_id, purchase_size, show_id, session_id, address, network)
        select 'OrderCreated', o.id, o.ticket_id, o.version, o.user_id, o.seller_id, o.status, o.expires_at, o.price, o.currency,
               o.title, o.ticket_version, r.traceparent, r.id, o.purchase_size, o.show_id, a.session_id, a.address, a.network
          from written o
          join unnest(requests) r on r.id = purchase_of(o.id, o.purchase_size)
          join unnest(askers) with ordinality as a (session_id, address, network, ordinal) on a.ordinal = r.ordinal
    )
    select r.ordinal, 'placed', null::int, row(o.*)::orders
      from written o join unnest(requests) r on r.id = purchase_of(o.id, o.purchase_size)
     order by r.ordinal, o.id;
end
$$;
