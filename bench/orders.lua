-- wrk: POST /api/orders, each request by the next of the users whose tokens are in a file.
-- Arguments: the number of the first ticket, or "hot" for the same one each time; that file; milliseconds that a connection rests.
local threads = {}

function setup(thread)
    thread:set("index", #threads)
    threads[#threads + 1] = thread
end

local starts, bodies = {}, '{"ticketId":"01930000-0000-7000-8000-%012x"}'
local first, rest

function init(args)
    for token in io.lines(args[2]) do
        starts[#starts + 1] = "POST /api/orders HTTP/1.1\r\nHost: onsale\r\nContent-Type: application/json\r\nContent-Length: 51\r\n"
            .. "Cookie: session=" .. token .. "\r\n\r\n"
    end
    hot, first, rest = args[1] == "hot", tonumber(args[1]) or 1, tonumber(args[3])
    sent = 0
    if rest > 0 then
        delay = function() return rest end
    end
end

function request()
    local n = 2 * sent + index
    sent = sent + 1
    return starts[n % #starts + 1] .. string.format(bodies, hot and 1 or first + n)
end

function done(summary, latency, _)
    local e, most = summary.errors, 0
    for _, thread in ipairs(threads) do
        most = math.max(most, thread:get("sent"))
    end
    io.write(string.format('{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d, "refused": %d, "tickets": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.timeout, e.status, 2 * most))
end
