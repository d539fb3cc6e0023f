-- Send the requests that the Lua file ARGS[1] returns: a list, in which each request has
-- its share in percent. Print one line of JSON at the end; its times are microseconds.

local function whole(path)
   local file = assert(io.open(path, "rb"))
   local content = file:read("*a")
   file:close()
   return content
end

function init(args)
   local parts = dofile(args[1])
   local first = parts[1]
   wrk.method, wrk.path = "POST", first.path
   wrk.body = whole(first.body)
   for name, value in pairs(first.headers) do
      wrk.headers[name] = value
   end
   if #parts == 1 then
      return -- wrk itself repeats one request, without asking Lua each time
   end
   local order = {}
   for _, part in ipairs(parts) do
      local headers = { Host = wrk.headers["Host"] }
      for name, value in pairs(part.headers) do
         headers[name] = value
      end
      local text = wrk.format("POST", part.path, headers, whole(part.body))
      for _ = 1, part.share do
         order[#order + 1] = text
      end
   end
   -- The order is shuffled, and the same in each run.
   math.randomseed(4)
   for i = #order, 2, -1 do
      local j = math.random(i)
      order[i], order[j] = order[j], order[i]
   end
   local at = 0
   request = function()
      at = at % #order + 1
      return order[at]
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"status":%d,"socket":%d}\n',
      summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout
   ))
end
