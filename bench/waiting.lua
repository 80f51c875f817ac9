-- wrk: POST /api/shows/SHOW/queue, each request by the next of the users whose tokens are in a file. Arguments: the show; that file.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "shared.lua")

local requests = {}

function init(args)
    for i, token in ipairs(tokens_of(args[2])) do
        requests[i] = head("/api/shows/" .. args[1] .. "/queue", token, 0)
    end
    keep_rate(0)
end

function request()
    return requests[next_number() % #requests + 1]
end

function done(summary, latency, _)
    tell(summary, latency)
end
