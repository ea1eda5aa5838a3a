-- Searches with the pictures that are named on wrk's command line, one after another.
local bodies, next = {}, 0

function init(args)
  for _, path in ipairs(args) do
    local file = assert(io.open(path, "rb"))
    local data = file:read("*a")
    file:close()
    table.insert(bodies, '--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n'
      .. 'Content-Type: image/jpeg\r\n\r\n' .. data .. '\r\n--x--\r\n')
  end
end

function request()
  next = next % #bodies + 1
  return wrk.format("POST", nil, { ["Content-Type"] = "multipart/form-data; boundary=x" }, bodies[next])
end

function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
