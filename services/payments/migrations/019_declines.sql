-- What was declined, by card and by seller; and what Stripe is told of who pays.
alter table charges
    add column seller_id    uuid, -- of its tickets; null: its order came before this was kept
    add column told_address text, -- this and the next: as long as Stripe may be asked to create this attempt's PaymentIntent
    add column told_email   text;

-- Attempts that were declined, with the card's fingerprint: Stripe's name for its number. Kept for a day.
create table card_declines (
    order_id    uuid not null,
    attempt     int  not null,
    fingerprint text not null,
    token       text,          -- the payment method that it was tried by
    at          timestamptz not null default now(),
    primary key (order_id, attempt)
);
create index card_declines_by_card on card_declines (fingerprint, at);
create index card_declines_by_token on card_declines (token);
create index card_declines_by_age on card_declines (at);

-- How many payments of a seller's tickets were made and declined, by quarters of an hour. Each has some parts, so that connections
-- seldom wait for each other. Kept for some hours.
create table seller_tries (
    seller_id uuid not null,   -- zeros: not known
    since     timestamptz not null,
    part      int  not null,
    paid      int  not null,
    declined  int  not null,
    primary key (seller_id, since, part)
) with (fillfactor = 50);
create index seller_tries_by_age on seller_tries (since);
