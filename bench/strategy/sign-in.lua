-- Signs in again and again with the forms in a file, one per line, and checks that every answer is for a user whose
-- form was sent and not yet answered.
local requests, users, at = {}, {}, 0
local waiting = {}
ok, wrong, first_wrong = 0, 0, ""

local threads = {}
function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  for line in io.lines(args[1]) do
    local user, form = line:match("^(%a+) (.+)$")
    table.insert(users, user)
    table.insert(requests, wrk.format("POST", "/login", headers, form))
  end
end

function request()
  at = at % #requests + 1
  waiting[users[at]] = (waiting[users[at]] or 0) + 1
  return requests[at]
end

function response(status, _, body)
  local user = body:match('^{"user":"(%a+)"}$')
  if status == 200 and user and (waiting[user] or 0) > 0 then
    waiting[user] = waiting[user] - 1
    ok = ok + 1
  else
    wrong = wrong + 1
    first_wrong = status .. " " .. body
  end
end

function done(summary, latency)
  local thread = threads[1]
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"ok":%d,"wrong":%d,"broken":%d,"seconds":%f,"p99":%f,"firstWrong":%q}',
    thread:get("ok"), thread:get("wrong"), errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(99) / 1000, (thread:get("first_wrong"):gsub("%c", " "))))
end
