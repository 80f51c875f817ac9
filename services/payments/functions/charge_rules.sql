-- The life of a charge, as a table: in this state, on this input, is it so; what is not listed changes nothing.
--
--     state      as the world sees it   meaning
--     none                              nobody has paid yet
--     started    started                Stripe was or will be asked; the answer is not known
--     action     requires_action        the buyer has to confirm with the bank
--     abandoned  requires_action        the same, but it is not wanted any more: Stripe is asked to cancel it
--     failed     failed                 no money moved; may be tried again unless final
--     succeeded  succeeded              paid
--     refunding  succeeded              paid, and the money has to go back: the order has ended (write_returns.sql says how)
--     refunded   refunded               it went back; also by somebody else's doing, while the order stays complete
--
-- Inputs are what Stripe says of the PaymentIntent (succeeded, requires_action, processing, declined, canceled), that there is none
-- (absent), that the key only repeats an error (replayed), that it takes no more requests now (limited), that all of it went back
-- (refunded), that another card is to be tried instead (replaced), and that the order was cancelled (order_cancelled), while Stripe had not
-- been asked for it yet (unsent).
-- A failure never undoes a success; a success undoes everything. An attempt fails only when its PaymentIntent can never succeed: one
-- that the buyer has the secret of is cancelled first. One that was absent or unsent is looked for a day later: a search can be late, and
-- a restored backup forgets what was sent.
delete from charge_rules;
insert into charge_rules (state, ended, input, next, event, ask) values
    ('started',   false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('started',   true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('started',   false, 'requires_action', 'action',    'PaymentStarted',  'look'),
    ('started',   true,  'requires_action', 'abandoned', 'PaymentStarted',  'cancel'),
    ('started',   false, 'processing',      'started',   null,              'look'),
    ('started',   true,  'processing',      'started',   null,              'look'),
    ('started',   false, 'declined',        'failed',    'PaymentFailed',   null),
    ('started',   true,  'declined',        'failed',    'PaymentFailed',   null),
    ('started',   false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('started',   true,  'canceled',        'failed',    'PaymentFailed',   null),
    ('started',   false, 'replayed',        'started',   null,              'find'),
    ('started',   true,  'replayed',        'started',   null,              'find'),
    ('started',   false, 'limited',         'started',   'PaymentStarted',  'create'),
    ('started',   true,  'limited',         'started',   'PaymentStarted',  'create'),
    ('started',   false, 'absent',          'failed',    'PaymentFailed',   'find'),
    ('started',   true,  'absent',          'failed',    'PaymentFailed',   'find'),
    ('started',   true,  'unsent',          'failed',    'PaymentFailed',   'find'),

    ('action',    false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('action',    true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('action',    false, 'declined',        'abandoned', null,              'cancel'),
    ('action',    true,  'declined',        'abandoned', null,              'cancel'),
    ('action',    false, 'replaced',        'abandoned', null,              'cancel'),
    ('action',    true,  'order_cancelled', 'abandoned', null,              'cancel'),
    ('action',    false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('action',    true,  'canceled',        'failed',    'PaymentFailed',   null),

    ('abandoned', false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('abandoned', true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('abandoned', false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('abandoned', true,  'canceled',        'failed',    'PaymentFailed',   null),

    ('failed',    false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('failed',    true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),

    ('succeeded', true,  'order_cancelled', 'refunding', null,              'refund'),
    ('succeeded', false, 'refunded',        'refunded',  'PaymentRefunded', null),
    ('refunding', false, 'refunded',        'refunded',  'PaymentRefunded', null), -- orders lost that it had ended
    ('refunding', true,  'refunded',        'refunded',  'PaymentRefunded', null);
