-- Sessions end before they expire: all of a user at once, as their version goes up; or one by its id, which its event tells.
alter table users add column session_version int not null default 1;
alter table user_events
    add column session_version int not null default 1,
    add column session_id      uuid; -- that was signed out
