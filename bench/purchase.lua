-- wrk: orders tickets, one after the other, and pays for each order as soon as it is answered.
-- Argument: the file with the users' tokens.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "shared.lua")

local tokens, placed, first, last = {}, {}, 1, 0
local order = '{"ticketId":"01930000-0000-7001-8000-%012x"}'
local payment = '{"orderId":"%s","token":"pm_card_visa"}'

local function post(path, token, body)
    return head(path, token, #body) .. body
end

function init(args)
    tokens, other = tokens_of(args[1]), 0
end

function request()
    local next = placed[first]
    if next then
        placed[first] = nil
        first = first + 1
        return post("/api/payments", next.token, string.format(payment, next.id))
    end
    local n = next_number()
    return post("/api/orders", tokens[n % #tokens + 1], string.format(order, n))
end

function response(status, _, body)
    local id, ticket = body:match('^{"id":"([^"]+)".*"ticket":{"id":"01930000%-0000%-7001%-8000%-(%x+)"')
    if id then
        last = last + 1
        placed[last] = {id = id, token = tokens[tonumber(ticket, 16) % #tokens + 1]}
    elseif status ~= 201 then
        other = other + 1
    end
end

function done(summary, latency, _)
    local sum = 0
    for _, thread in ipairs(threads) do
        sum = sum + thread:get("other")
    end
    tell(summary, latency, string.format(', "other": %d', sum))
end
