-- Since when an order's payment waits in line at payments. That time is not the buyer's: it is added to what he has.
alter table orders add column payment_waits_since timestamptz;
