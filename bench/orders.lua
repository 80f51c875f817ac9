-- wrk: POST /api/orders, each request by the next of the users whose tokens are in a file.
-- Arguments: the number of the first ticket, or "hot" for the same one each time; that file; orders a second, 0 for as many as go;
-- and a file (its name; a number is added for each of wrk's two threads) for when each was answered 201: TICKET MICROSECONDS a line.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "shared.lua")

local heads, body = {}, '{"ticketId":"01930000-0000-7000-8000-%012x"}'
local first, answers

function init(args)
    for i, token in ipairs(tokens_of(args[2])) do
        heads[i] = head("/api/orders", token, #string.format(body, 0))
    end
    hot, first = args[1] == "hot", tonumber(args[1]) or 1
    keep_rate(tonumber(args[3]))
    if args[4] then
        answers = io.open(args[4] .. index, "w")
        response = function(status, _, body)
            if status == 201 then answers:write(body:match('"ticket":{"id":"([^"]+)"'), " ", string.format("%.0f", now_us()), "\n") end
        end
    end
end

function request()
    local n = next_number()
    return heads[n % #heads + 1] .. string.format(body, hot and 1 or first + n)
end

function done(summary, latency, _)
    local most = 0
    for _, thread in ipairs(threads) do
        most = math.max(most, thread:get("sent"))
    end
    tell(summary, latency, string.format(', "tickets": %d', 2 * most))
end
