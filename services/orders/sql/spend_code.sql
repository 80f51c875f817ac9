-- Spends codes for people (write_code_uses.sql).
select ordinal, verdict from write_code_uses($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) order by ordinal
