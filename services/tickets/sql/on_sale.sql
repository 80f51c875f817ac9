-- Keeps who bought, and whether the money went back: what went back stays so, in whatever order events come, and however often.
insert into sales as s (order_id, buyer_id, refunded)
select * from unnest($1::uuid[], $2::uuid[], $3::bool[]) as e (order_id, buyer_id, refunded) order by order_id
    on conflict (order_id) do update set refunded = true where excluded.refunded and not s.refunded
