-- Who holds a ticket, or bought it. Null where that was before this column: then `sales` knows who bought it.
alter table tickets add column buyer_id uuid;
