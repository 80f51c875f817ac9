-- Counts payments that were made or declined (declines says which) for the sellers of their tickets. Rows are locked in the order of the
-- sellers, after those of charges, and until the commit: the parts keep connections from waiting for each other.
create or replace function count_tries(sellers uuid[], declines boolean[]) returns void language sql volatile as $$
    insert into seller_tries as t (seller_id, since, part, paid, declined)
    select seller_id, date_bin('15 minutes', now(), 'epoch'), pg_backend_pid() % 4, count(*) filter (where not declined),
           count(*) filter (where declined)
      from unnest(sellers, declines) as s (seller_id, declined)
     group by seller_id
     order by seller_id
        on conflict (seller_id, since, part) do update set paid = t.paid + excluded.paid, declined = t.declined + excluded.declined
$$;

-- Whether so many payments of this seller's tickets were declined within an hour, and more than were made: somebody tries cards there. That
-- shuts no sale, as anybody may buy, also to do harm: start_attempts allows less failing of each person and network.
create or replace function seller_is_tried(seller uuid, most int) returns boolean language plpgsql stable as $$
begin
    return most > 0 and seller is not null and (
        select coalesce(sum(t.declined), 0) >= most and sum(t.declined) > sum(t.paid)
          from seller_tries t
         where t.seller_id = seller and t.since > now() - interval '1 hour');
end
$$;
