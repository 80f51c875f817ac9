-- wrk: POST /api/tickets, each request as one of the users whose tokens are in the file TOKENS.
local function lines(path)
    local all = {}
    for line in io.lines(path) do
        all[#all + 1] = line
    end
    return all
end

local requests, threads = {}, 0

function setup(thread)
    threads = threads + 1
    thread:set("seed", threads)
end

function init(args)
    math.randomseed(seed)
    local tokens = lines(args[1])
    for i = 1, 50000 do
        local headers = {["Cookie"] = "session=" .. tokens[math.random(#tokens)], ["Content-Type"] = "application/json"}
        local body = string.format('{"title":"Seat %d, row %d","price":"%d.50"}', math.random(50), math.random(80), math.random(10, 200))
        requests[i] = wrk.format("POST", "/api/tickets", headers, body)
    end
end

local next_request = 0

function request()
    next_request = next_request % #requests + 1
    return requests[next_request]
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format('{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d}\n', summary.requests,
        summary.duration / 1e6, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
