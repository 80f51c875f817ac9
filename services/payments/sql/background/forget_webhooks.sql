-- Forgets events of Stripe that it does not send any more (it tries for three days), some at a time.
delete from webhook_events
 where id in (select id from webhook_events where at < now() - interval '30 days' order by at
               limit (select most from unnest($1::int4[]) as r (most)))
