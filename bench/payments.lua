-- wrk: POST /api/payments for one order after the other, each by its buyer: order n is that of the nth user, and so on around.
-- Arguments: payments a second, 0 for as many as go; the file with the users' tokens.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "shared.lua")

local heads, body = {}, '{"orderId":"01930000-0000-7000-9000-%012x","token":"pm_card_visa"}'

function init(args)
    for i, token in ipairs(tokens_of(args[2])) do
        heads[i] = head("/api/payments", token, #string.format(body, 0))
    end
    keep_rate(tonumber(args[1]))
end

function request()
    local n = next_number()
    return heads[n % #heads + 1] .. string.format(body, n)
end

function done(summary, latency, _)
    tell(summary, latency)
end
