-- Starts attempts to pay a purchase, said by its id or by any of its orders; begin_attempts says what the verdicts mean. The
-- size may be missing for a purchase that came since this statement began: nobody has paid it yet.
select a.*, (select c.size from charges c where c.order_id = a.order_id) as size, null::int8 as ahead, null::int8 as seconds
  from begin_attempts((select array_agg(coalesce(i.purchase_id, i.of_order) order by i.ordinal)
                         from unnest($8::uuid[], purchases_of($1::uuid[])) with ordinality as i (purchase_id, of_order, ordinal)),
                      $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int4[], $7::text[], $9::bool[], $10::int4[]) a
