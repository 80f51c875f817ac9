-- Sellers list their own shows.
-- Shows are few: nobody waits long for it.
-- squawk-ignore require-concurrent-index-creation
create index shows_by_seller on shows (user_id, id);
