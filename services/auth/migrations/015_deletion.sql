-- Accounts can be deleted. The log says so twice: by an event, and by a row that becomes a record without a value, so that the topic forgets the
-- account. What the logs had of its owner goes with it.
alter table user_events
    add column deleted   boolean not null default false,
    add column tombstone boolean not null default false;
-- squawk-ignore require-concurrent-index-creation
create index user_events_by_user on user_events (id);
-- squawk-ignore require-concurrent-index-creation
create index letter_events_by_user on letter_events (user_id);
