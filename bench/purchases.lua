-- wrk: POST /api/purchases for the best places of a show, 1 to 4 together (2.7 on average), each request by the next of the users whose
-- tokens are in a file; or DELETE of purchases, each by its buyer.
-- Arguments: the show, or a file with lines PURCHASE TOKEN to be deleted; the tokens; purchases a second, 0 for as many as go; and how
-- many seats, where each wants as many.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "shared.lua")

local QUANTITIES = {1, 2, 2, 2, 3, 3, 4, 4, 3, 3} -- 2.7 on average
local bodies, tokens, gone = {}, nil, nil

local function deletions(file)
    local all = {}
    for line in file:lines() do
        local purchase, token = line:match("(%S+) (%S+)")
        all[#all + 1] = "DELETE /api/purchases/" .. purchase .. " HTTP/1.1\r\nHost: onsale\r\nCookie: session=" .. token .. "\r\n\r\n"
    end
    return all
end

function init(args)
    local file = io.open(args[1])
    if file then
        gone = deletions(file)
    else
        tokens = tokens_of(args[2])
        for i, quantity in ipairs(args[4] and {tonumber(args[4])} or QUANTITIES) do
            bodies[i] = string.format('{"showId":"%s","quantity":%d}', args[1], quantity)
        end
    end
    keep_rate(tonumber(args[3]))
end

function request()
    local n = next_number()
    if gone then return gone[n % #gone + 1] end
    local body = bodies[n % #bodies + 1]
    return head("/api/purchases", tokens[n % #tokens + 1], #body) .. body
end

function done(summary, latency, _)
    tell(summary, latency)
end
