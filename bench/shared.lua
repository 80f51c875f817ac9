-- What the scripts for wrk share: dofile(HERE .. "shared.lua").
local ffi = require("ffi")
ffi.cdef("struct onsale_time { long s, us; }; int gettimeofday(struct onsale_time *now, void *zone);")
local now = ffi.new("struct onsale_time")

function now_us()
    ffi.C.gettimeofday(now, nil)
    return tonumber(now.s) * 1e6 + tonumber(now.us)
end

-- wrk calls it once a thread (there are two); each gets its index, and they take turns by it.
threads = {}

function setup(thread)
    thread:set("index", #threads)
    threads[#threads + 1] = thread
end

-- The number of the next request, over both threads.
sent = 0

function next_number()
    sent = sent + 1
    return 2 * (sent - 1) + index
end

-- A rate is kept by a timetable: what came too late for its turn goes at once, so a server that stood still is not spared.
-- 0: as many as go.
function keep_rate(rate)
    if rate == 0 then return end
    local step, due = 2e6 / rate, now_us() + index * 1e6 / rate
    delay = function()
        due = due + step
        return math.max(0, math.floor((due - now_us()) / 1000))
    end
end

function tokens_of(path)
    local all = {}
    for token in io.lines(path) do
        all[#all + 1] = token
    end
    return all
end

-- All of a POST but its body.
function head(path, token, length)
    return "POST " .. path .. " HTTP/1.1\r\nHost: onsale\r\nContent-Type: application/json\r\nContent-Length: " .. length
        .. "\r\nCookie: session=" .. token .. "\r\n\r\n"
end

-- The last line of output; more: further members.
function tell(summary, latency, more)
    local e = summary.errors
    io.write(string.format('{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d, "refused": %d%s}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.timeout, e.status, more or ""))
end
