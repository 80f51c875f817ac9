-- Finds a payment by its PaymentIntent, for disputes; and the money that has to go back, for the metrics. Writes to charges wait while
-- these are built: some seconds for each million of rows.
-- squawk-ignore require-concurrent-index-creation
create index charges_by_intent on charges (stripe_id) where stripe_id is not null;
-- squawk-ignore require-concurrent-index-creation
create index charges_refunding on charges (changed_at) where state = 'refunding';
