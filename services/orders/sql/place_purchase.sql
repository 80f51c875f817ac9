-- Places purchases (write_purchases_from). One row an order, in the order of their ids; a request that is refused has one row without.
select v.ordinal, (placed).id, (placed).status, (placed).expires_at, (placed).user_id, (placed).version, (placed).ticket_id,
       (placed).title, (placed).price, (placed).currency, (placed).ticket_version, (placed).reason, (placed).show_id, v.verdict, (placed).purchase_size, s.area_name,
       s.row_name, s.first_seat + place_of((placed).ticket_id) as seat, v.remaining,
       coalesce((placed).show_id, ($3::uuid[])[v.ordinal],
                case when v.verdict not in ('placed', 'repeated') -- of what was refused: whose show
                     then (select t.show_id from tickets t where t.id = ((($9::text[])[v.ordinal])::uuid[])[1]) end) as asked_show
  from write_purchases_from(array(
           select row(r.ordinal, r.id, r.user_id, r.show_id, r.area_id, coalesce(cardinality(r.tickets::uuid[]), r.quantity),
                      r.together, r.accessible, r.max_price, r.tickets::uuid[], r.key,
                      hashtextextended(format('%s %s %s %s %s %s %s', r.show_id, r.area_id, r.quantity, r.together, r.accessible,
                                              r.max_price, r.tickets), 0),
                      r.traceparent, r.hold_seconds, r.grace_seconds, r.most, coalesce(a.first_rank, 0),
                      coalesce(a.last_rank, 2147483647))::purchase_request
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int4[], $6::bool[], $7::bool[], $8::int8[], $9::text[],
                         $10::text[], $11::text[], $12::int4[], $13::int4[], $14::int4[]) with ordinality
                  as r (id, user_id, show_id, area_id, quantity, together, accessible, max_price, tickets, key, traceparent,
                        hold_seconds, grace_seconds, most, ordinal)
             left join areas a on a.id = r.area_id
            order by r.ordinal), $15::uuid[],
           array(select row(o.network, ($17::int4[])[1], ($18::int4[])[1])::purchase_origin
                   from unnest($16::int8[]) with ordinality as o (network, ordinal) order by o.ordinal), -- set for the whole process
           array(select row(a.session_id, a.address, a.near)::purchase_asker
                   from unnest($19::uuid[], $20::text[], $21::text[]) with ordinality as a (session_id, address, near, ordinal)
                  order by a.ordinal)) v
  left join lateral (select * from seat_rows where id = row_of((v.placed).ticket_id) and (v.placed).show_id is not null
                      limit 1) s on true -- by its key, row by row: a join may hash the seats of all shows
 order by v.ordinal, (v.placed).id
