-- A charge is of a purchase: orders that are placed, paid and ended together. order_id is the purchase's id, which is that of its first
-- order; a purchase of one has its order's id, so the charges that are here stay as they are.
alter table charges
    add column size    int not null default 1, -- the orders of the purchase
    add column tickets uuid[],                 -- of several: the ticket of each order, by its place; null: it has not come yet
    add column prices  bigint[];               -- and its price; amount is the sum of those that have come
alter table payment_events add column purchase_id uuid;
