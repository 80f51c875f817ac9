-- Starts attempts to pay a purchase, said by its id or by any of its orders; start_attempts says what the verdicts mean. The
-- size may be missing for a purchase that came since this statement began: nobody has paid it yet. Of an attempt that keeps another one
-- from beginning it says where in line that is, as it was when this statement began. wary: some card is refused; then whether Stripe is to
-- be asked which card it is first.
select a.*, c.size, l.ahead, l.seconds, null::text as card_brand, null::text as card_last4,
       a.verdict = 'started' and ($17::bool[])[a.ordinal] and is_near_declines(($3::uuid[])[a.ordinal], ($11::int8[])[a.ordinal]) as wary
  from start_attempts((select array_agg(coalesce(i.purchase_id, i.of_order) order by i.ordinal)
                         from unnest($8::uuid[], purchases_of($1::uuid[])) with ordinality as i (purchase_id, of_order, ordinal)),
                      $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int4[], $7::text[], $9::bool[], $10::int4[], $11::int8[], $12::int4[],
                      $13::int4[], $14::int4[], $15::text[], $16::text[],
                      array(select row(r.session_id, r.address, r.near)::payment_asker
                              from unnest($18::uuid[], $19::text[], $20::text[]) with ordinality as r (session_id, address, near, ordinal)
                             order by r.ordinal)) a
  left join lateral (select * from charges c where c.order_id = a.order_id limit 1) c on true
  left join lateral line_of(c.ask, c.asked, c.place_in_line) l on a.verdict = 'busy' and c.attempt = a.attempt
