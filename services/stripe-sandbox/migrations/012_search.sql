-- What a search that is behind shows: the state before the last.
alter table payment_intents
    add column status_before  text,
    add column failure_before text;
