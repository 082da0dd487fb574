-- Prints wrk's summary as one line of JSON: its usual output rounds the numbers.
-- Only `done` is defined: a `request` or `response` function would slow wrk down.
function done(summary, latency, requests)
   io.write(string.format(
      "\nJSON {\"requests\": %d, \"duration_us\": %d, \"bytes\": %d, "
         .. "\"connect\": %d, \"read\": %d, \"write\": %d, \"status\": %d, \"timeout\": %d, "
         .. "\"p50_us\": %d, \"p99_us\": %d, \"max_us\": %d}\n",
      summary.requests, summary.duration, summary.bytes,
      summary.errors.connect, summary.errors.read, summary.errors.write,
      summary.errors.status, summary.errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.max))
end
