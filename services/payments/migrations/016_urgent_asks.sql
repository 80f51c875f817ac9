-- What ends a payment, gives it back or finds what became of it does not wait behind looks at those that their buyers confirm.
-- squawk-ignore require-concurrent-index-creation
create index charges_to_end on charges (ask_at) where ask not in ('create', 'look');
