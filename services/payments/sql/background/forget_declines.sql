-- Forgets which cards were declined more than a day ago, and what sellers' counts need no more; some at a time.
with cards as (
    delete from card_declines
     where (order_id, attempt) in (select order_id, attempt from card_declines where at < now() - interval '1 day' order by at
                                    limit (select most from unnest($1::int4[]) as r (most)))
)
delete from seller_tries
 where (seller_id, since, part) in (select seller_id, since, part from seller_tries where since < now() - interval '3 hours' order by since
                                     limit (select most from unnest($1::int4[]) as r (most)))
