-- When a show begins: it is not sold for ever. Null: no event has told it since.
alter table shows add column starts_at timestamptz;
