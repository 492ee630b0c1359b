-- Sends each request of a file once and checks every answer. Arguments: the file, and how answers are checked. With
-- "echoed", an answer must have an OTP that was sent and not yet answered, with its nonce.
local targets, at, nonces = {}, 0, {}
ok, wrong, ran_out, first_wrong = 0, 0, false, ""

local threads = {}
function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local isEchoed = args[2] == "echoed"
  for target in io.lines(args[1]) do
    table.insert(targets, wrk.format("GET", target))
    if isEchoed then
      nonces[target:match("otp=(%a+)")] = target:match("nonce=(%w+)")
    end
  end
  response = isEchoed and check_echo or check_status
end

function request()
  at = at + 1
  if targets[at] == nil then
    ran_out = true
    at = 1
  end
  return targets[at]
end

local function count(isRight, status, body)
  if isRight then
    ok = ok + 1
  else
    wrong = wrong + 1
    first_wrong = status .. " " .. body
  end
end

function check_status(status, _, body)
  count(status == 200 and body:find("status=OK", 1, true), status, body)
end

function check_echo(status, _, body)
  local otp, nonce = body:match("\notp=(%a+)\r?\nnonce=(%w+)\r?\n.*\nstatus=OK")
  local isRight = status == 200 and otp ~= nil and nonces[otp] == nonce
  if isRight then
    nonces[otp] = nil
  end
  count(isRight, status, body)
end

function done(summary, latency)
  local sums = { ok = 0, wrong = 0 }
  local ranOut, firstWrong = false, ""
  for _, thread in ipairs(threads) do
    sums.ok = sums.ok + thread:get("ok")
    sums.wrong = sums.wrong + thread:get("wrong")
    ranOut = ranOut or thread:get("ran_out")
    firstWrong = thread:get("first_wrong")
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.stderr:write(string.format(
    '{"ok":%d,"wrong":%d,"broken":%d,"ranOut":%s,"seconds":%f,"p50":%f,"p99":%f,"firstWrong":%q}',
    sums.ok, sums.wrong, broken, tostring(ranOut), summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, (firstWrong:gsub("%c", " "))))
end
