-- Counts payments that were made or declined (declines says which) for the sellers of their tickets. Rows are locked in the order of the
-- sellers, after those of charges, and until the commit: with several parts, by lot, connections seldom wait for each other.
create or replace function count_tries(sellers uuid[], declines boolean[]) returns void language plpgsql as $$
declare by_lot int := floor(random() * 4);
begin
    insert into seller_tries as t (seller_id, since, part, paid, declined)
    select s.seller_id, date_bin('15 minutes', now(), 'epoch'), by_lot, count(*) filter (where not s.declined),
           count(*) filter (where s.declined)
      from unnest(sellers, declines) as s (seller_id, declined)
     group by s.seller_id
     order by s.seller_id
        on conflict (seller_id, since, part) do update set paid = t.paid + excluded.paid, declined = t.declined + excluded.declined;
end $$;

-- Those of the sellers of whose tickets so many payments were declined within an hour, and more than were made: somebody tries cards there.
-- That shuts no sale, as anybody may buy, also to do harm: start_attempts allows less failing of each person and network.
create or replace function tried_sellers(sellers uuid[], most int) returns uuid[] language plpgsql stable as $$
begin
    return array(select t.seller_id from seller_tries t
                  where most > 0 and t.seller_id = any (sellers) and t.since > now() - interval '1 hour'
                  group by t.seller_id
                 having sum(t.declined) >= most and sum(t.declined) > sum(t.paid));
end $$;
