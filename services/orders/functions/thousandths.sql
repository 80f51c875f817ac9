-- An amount in thousandths of its currency's unit, as limits of prices are asked for. The currencies are those of common/base/currency.c.
create or replace function thousandths(minor bigint, currency text) returns bigint language sql immutable parallel safe as $$
    select minor * case when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF',
                                          'XOF', 'XPF') then 1000
                        when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1
                        else 10 end
$$;
