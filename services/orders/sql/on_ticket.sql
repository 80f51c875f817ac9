-- Keeps the copy of a ticket up with its events; what is older than the copy changes nothing. An order on a ticket that was
-- withdrawn ends, with all of its purchase, unless it is complete. A place of a show that is new is free; also one that a
-- version of before took for a ticket of somebody's own, and one that is not sold any more (its order ended in a refund, or was lost).
with event_in as (
    select * from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int8[], $6::text[], $7::text[], $8::text[], $9::uuid[],
                         $10::uuid[], $11::text[], $12::text[], $13::int4[], $14::int4[], $15::bool[], $16::int8[])
        as e (id, version, user_id, title, price, currency, status, traceparent, show_id, area_id, area_name, row_name, seat, rank,
              accessible, price_thousandths)
), new_places as (
    select * from event_in e where e.show_id is not null and not exists (select from tickets t where t.id = e.id and t.show_id is not null)
), returned as (
    select e.id from event_in e join tickets t on t.id = e.id
     where e.show_id is not null and t.show_id is not null and t.version < e.version and t.status = 'sold'
       and e.status not in ('sold', 'cancelled')
), fresh as (
    insert into tickets as t (id, version, user_id, title, price, currency, status, show_id)
    select id, version, user_id, title, price, currency, status, show_id from event_in order by id
        on conflict (id) do update
       set version = excluded.version, user_id = excluded.user_id, title = excluded.title, price = excluded.price,
           currency = excluded.currency, status = excluded.status, show_id = excluded.show_id
     where t.version < excluded.version or t.version = excluded.version and t.show_id is distinct from excluded.show_id
), withdrawn as (
    select distinct on (purchase_of(o.id, o.purchase_size)) purchase_of(o.id, o.purchase_size) as purchase_id, e.traceparent
      from event_in e
      join orders o on o.ticket_id = e.id and o.status <> 'cancelled'
     where e.status = 'cancelled' and o.status <> 'complete'
     order by purchase_of(o.id, o.purchase_size), o.id
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from withdrawn)) where (select count(*) from withdrawn) > 0
), changed as (
    update orders o set status = 'cancelled', reason = 'ticket_cancelled', hold_slot = null, network = null, version = next_version(l.version)
      from locked l join withdrawn w on w.purchase_id = purchase_of(l.id, l.purchase_size)
     where o.id = l.id and l.status in ('created', 'awaiting_payment')
    returning o.*, w.purchase_id, w.traceparent
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
    select 'OrderCancelled', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
           reason, traceparent, purchase_id, purchase_size, show_id
      from changed order by ticket_id
)
select put_places_back(array_agg(id)) from returned having count(*) > 0
union all -- after that, as rows of seats are locked
select write_places(array_agg(id), array_agg(status), array_agg(show_id), array_agg(area_id), array_agg(area_name),
                    array_agg(row_name), array_agg(seat), array_agg(rank), array_agg(accessible), array_agg(price_thousandths))
  from new_places
having count(*) > 0
