-- By which card the present attempt is made, as Stripe tells it: a word like visa, and the last four digits.
alter table charges
    add column card_brand text,
    add column card_last4 text;
