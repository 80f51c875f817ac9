-- wrk: requests out of the file REQUESTS (a line each: METHOD PATH BODY), as users whose tokens are in the file TOKENS, both at
-- random. Every request is made up before the run, so that the script costs wrk next to nothing.
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
    local wanted, tokens = lines(args[1]), lines(args[2])
    for i = 1, 50000 do
        local method, path, body = wanted[math.random(#wanted)]:match("^(%S+) (%S+) ?(.*)$")
        local headers = {["Cookie"] = "session=" .. tokens[math.random(#tokens)]}
        if body ~= "" then headers["Content-Type"] = "application/json" end
        requests[i] = wrk.format(method, path, headers, body ~= "" and body or nil)
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
