-- Commits one batch of one stage: acknowledge, remember, apply, emit, reject and count, or change nothing.
--
-- KEYS[1] stream read   [2] stream emitted to (or [1] again)   [3] counters   [4] invalid stream   [5] invalid list
-- KEYS[6..] two per ledger line (this generation's bucket, the last one's), then keys that are referred to by number
-- ARGV[1] group   [2] consumer   [3] plan, a JSON object:
--   ids      entries to acknowledge
--   ledger   { generation, seconds, lines: [[field, value]] }: one line per emitted record, then one per rejected one
--   hashes   [[key number, field, by, ...]]        HINCRBY
--   boards   [[key number, score, member, ...]]    ZADD GT
--   tickets  [[ledger line, key number]]: lines whose verdict goes to an outcome, kept for outcome_seconds
--   totals   per emitted record [key number, field, ...]: fields of `hashes` to append to it, or []
--   emits, rejects   how many of each follow in ARGV
--   orders   orders in the records to pass   received   orders to count as received here
--   counts   { passed, rejected }: names of counters
-- ARGV[4..] emitted records (JSON; without the last brace where totals are appended), then of each rejected one code, key
--   number of its group, orders and record (JSON without the first brace)
--
-- Replies  { 'committed', orders passed, duplicates, orders rejected }, or with nothing changed but that this consumer
-- holds the entries now:
--   { 'stale', id ... }            the entries still pending; the others were committed by another consumer
--   { 'generation', n }            the ledger's generation by Redis' clock is n
--   { 'conflict', i, value, ... }  emitted record i (from 0) is known with another value
--
-- Redis keeps what a failed script wrote before. So all that can fail is done before the first effect: XCLAIM comes
-- first (after a write that memory never refuses, Redis refuses no other in the same script), then every read.

local plan = cjson.decode(ARGV[3])
local ledger, hashes, boards, totals = plan.ledger, plan.hashes, plan.boards, plan.totals
local first_reject = 4 + plan.emits
local text = function(integer) return string.format('%.0f', integer) end -- Lua's own form has only 14 digits

local claim = { 'XCLAIM', KEYS[1], ARGV[1], ARGV[2], '0' }
for _, id in ipairs(plan.ids) do claim[#claim + 1] = id end
claim[#claim + 1] = 'JUSTID'
local held = redis.call(unpack(claim))
if #held < #plan.ids then return { 'stale', unpack(held) } end

local known, fresh, duplicates = {}, {}, 0 -- known: field -> value seen in this batch; fresh: line -> true
if ledger then
  local generation = math.floor(tonumber(redis.call('TIME')[1]) / ledger.seconds)
  if generation ~= ledger.generation then return { 'generation', generation } end
  local conflicts = { 'conflict' }
  for i, line in ipairs(ledger.lines) do
    local field, value = line[1], line[2]
    local current, previous = KEYS[4 + 2 * i], KEYS[5 + 2 * i]
    local stands = known[field] or redis.call('HGET', current, field) or redis.call('HGET', previous, field)
    if not stands then
      known[field] = value
      fresh[i] = true
    elseif stands == value then
      duplicates = duplicates + 1
    else
      conflicts[#conflicts + 1] = i - 1
      conflicts[#conflicts + 1] = stands
    end
  end
  if #conflicts > 1 then return conflicts end
end

redis.call('XLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('XLEN', KEYS[4])
redis.call('LLEN', KEYS[5])
local function probe(command, key, ...) -- what Redis says of a key of another type does not name it
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then return nil, redis.error_reply('ORDERS ' .. key .. ' cannot be used: ' .. reply.err) end
  return reply
end
for _, board in ipairs(boards) do
  local _, failed = probe('ZCARD', KEYS[board[1]])
  if failed then return failed end
end
for i = 1, plan.rejects do redis.call('ZCARD', KEYS[tonumber(ARGV[first_reject + 4 * (i - 1) + 1])]) end
for _, ticket in ipairs(plan.tickets) do redis.call('HLEN', KEYS[ticket[2]]) end
for _, hash in ipairs(hashes) do -- in parts: Lua passes at most some 8,000 arguments at once
  for from = 2, #hash, 2000 do
    local fields = {}
    for i = from, math.min(from + 1999, #hash), 2 do fields[#fields + 1] = hash[i] end
    local values, failed = probe('HMGET', KEYS[hash[1]], unpack(fields))
    if failed then return failed end
    for i, value in ipairs(values) do
      value = value or '0'
      local at = from + 2 * (i - 1)
      local integer = value == '0' or value:match('^%-?[1-9]%d*$') -- what HINCRBY takes
      if not integer or math.abs(tonumber(value) + hash[at + 1]) > 9e18 then -- 64 bits end at 9.2e18
        return redis.error_reply('ORDERS ' .. KEYS[hash[1]] .. ' ' .. hash[at] .. ' is no integer that can grow')
      end
    end
  end
end

redis.call('XACK', KEYS[1], ARGV[1], unpack(plan.ids))

if ledger then
  local expires = text((ledger.generation + 2) * ledger.seconds)
  for i, line in ipairs(ledger.lines) do
    if fresh[i] then
      local bucket = KEYS[4 + 2 * i]
      redis.call('HSET', bucket, line[1], line[2])
      if redis.call('HLEN', bucket) == 1 then redis.call('EXPIREAT', bucket, expires) end
    end
  end
end

local now = {} -- key number -> field -> value after this commit
for _, hash in ipairs(hashes) do
  local values = {}
  for i = 2, #hash, 2 do values[hash[i]] = redis.call('HINCRBY', KEYS[hash[1]], hash[i], text(hash[i + 1])) end
  now[hash[1]] = values
end

for _, board in ipairs(boards) do
  for from = 2, #board, 2000 do
    local add = { 'ZADD', KEYS[board[1]], 'GT' }
    for i = from, math.min(from + 1999, #board), 2 do
      add[#add + 1] = text(board[i])
      add[#add + 1] = board[i + 1]
    end
    redis.call(unpack(add))
  end
end

local emitted, passed = {}, plan.orders
for i = 1, plan.emits do
  if ledger and not fresh[i] then
    passed = passed - 1
  elseif totals and totals[i][1] then
    local parts = { ARGV[3 + i] }
    local total = totals[i]
    for j = 2, #total do parts[j] = ',"' .. total[j] .. '":' .. text(now[total[1]][total[j]]) end
    emitted[#emitted + 1] = table.concat(parts) .. '}'
  else
    emitted[#emitted + 1] = ARGV[3 + i]
  end
end
if #emitted > 0 then
  redis.call('XADD', KEYS[2], '*', 'n', text(passed), 'r', '[' .. table.concat(emitted, ',') .. ']')
end

local rejected, by_code, rejected_as = 0, {}, {}
for i = 1, plan.rejects do
  if not ledger or fresh[plan.emits + i] then
    local at = first_reject + 4 * (i - 1)
    local code, group, orders, record = ARGV[at], KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2]), ARGV[at + 3]
    local id = redis.call('XADD', KEYS[4], '*', 'code', code, 'record', '{' .. record)
    redis.call('LPUSH', KEYS[5], '{"id":"' .. id .. '",' .. record)
    rejected_as[i] = id
    local ms, sequence = id:match('(%d+)-(%d+)')
    redis.call('ZADD', group, 0, ms .. '-' .. string.rep('0', 10 - #sequence) .. sequence) -- so that text sorts as ids do
    rejected = rejected + orders
    by_code[code] = (by_code[code] or 0) + orders
  end
end

for _, ticket in ipairs(plan.tickets) do
  local line, outcome = ticket[1], KEYS[ticket[2]]
  local reject = line - plan.emits
  local verdict = not fresh[line] and 'duplicate' or reject < 1 and 'admitted' or ARGV[first_reject + 4 * (reject - 1)]
  redis.call('HINCRBY', outcome, verdict, 1)
  redis.call('EXPIRE', outcome, plan.outcome_seconds)
  if rejected_as[reject] then redis.call('HSET', outcome, 'invalid_id', rejected_as[reject]) end
end

local function count(name, by) if by > 0 then redis.call('HINCRBY', KEYS[3], name, text(by)) end end
count('received', plan.received)
count(plan.counts.passed, passed)
count('duplicates', duplicates)
count(plan.counts.rejected, rejected)
for code, by in pairs(by_code) do count('rejected:' .. code, by) end
return { 'committed', passed, duplicates, rejected }
