-- Commits one batch of one stage: acknowledge, remember, apply, emit, reject and count, or change nothing.
--
-- KEYS[1] stream read   [2] stream emitted to (or [1] again)   [3] counters   [4] invalid stream   [5] invalid list
-- KEYS[6] entries of [1] that the stage has committed
-- KEYS[7..] two per ledger line (this generation's bucket, the last one's), then keys that are referred to by number
-- ARGV[1] group   [2] consumer   [3] plan, a JSON object:
--   ids      entries to acknowledge
--   ledger   { generation, seconds, lines: [field, value, ...], count: key number }: one line per emitted record, then one
--            per rejected one; in the hash `count` the lines of each generation are counted
--   hashes   [[[field, ...], [key number, by, ..., key number, by, ...]]]: what to add to the fields of each key
--   boards   [[key number, score, member, ...]]    ZADD GT
--   tickets  [[ledger line, key number]]: lines whose verdict goes to an outcome, kept for outcome_seconds
--   totals   per emitted record the number of the key in `hashes` whose fields are appended to it, or 0
--   emits, rejects   how many of each follow in ARGV
--   orders   orders in the records to pass   found   orders of entries that nothing of ours has counted (no field c)
--   sent, traceparent   fields t and p of the entry emitted, if any
--   counts   { passed, rejected, found }: names of counters
--   id       { step, rest }, with partitions: an id in the invalid stream has a sequence ≡ rest (mod step), so that ids of
--            all partitions differ
-- ARGV[4..] emitted records (JSON; without the last brace where totals are appended), then of each rejected one code, key
--   number of its group, orders and record (JSON without the first brace)
--
-- Replies  { 'committed', orders passed, duplicates, orders rejected, ms by Redis' clock }, or with nothing changed but
-- that this consumer holds the entries now:
--   { 'stale', n, id ... }         the entries still pending; the others were committed by another consumer, n of them were
--                                  committed and handed out again, by a group that somebody has made anew or set back
--   { 'generation', n }            the ledger's generation by Redis' clock is n
--   { 'conflict', i, value, ... }  emitted record i (from 0) is known with another value
--
-- Redis keeps what a failed script wrote before. So all that can fail is done before the first effect: XCLAIM comes
-- first (after a write that memory never refuses, Redis refuses no other in the same script), then every read.

local plan = cjson.decode(ARGV[3])
local ledger, hashes, boards, totals = plan.ledger, plan.hashes, plan.boards, plan.totals
local lines = ledger and ledger.lines
local first_reject = 4 + plan.emits
local call, format = redis.call, string.format
local exact = 2 ^ 53 -- up to it a double tells every integer from the next
local function text(integer) -- Lua's own form has only 14 digits; %d is the faster one, for what 32 bits hold everywhere
  return format(integer > -2147483648 and integer < 2147483648 and '%d' or '%.0f', integer)
end

local function probe(command, key, ...) -- what Redis says of a key of another type does not name it
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then return nil, redis.error_reply('ORDERS ' .. key .. ' cannot be used: ' .. reply.err) end
  return reply
end

local claim = { 'XCLAIM', KEYS[1], ARGV[1], ARGV[2], '0' }
for _, id in ipairs(plan.ids) do claim[#claim + 1] = id end
claim[#claim + 1] = 'JUSTID'
local held = call(unpack(claim))

-- Whether an entry is committed is for the stage to say, not for its group: that may be destroyed, or set back.
local left, again, scores = {}, {}, #held > 0 and redis.pcall('ZMSCORE', KEYS[6], unpack(held)) or {}
for i, id in ipairs(held) do
  local known = scores[i]
  if scores.err then -- the emulator has no ZMSCORE; of a key of another type this says so
    local failed
    known, failed = probe('ZSCORE', KEYS[6], id)
    if failed then return failed end
  end
  local list = known and again or left
  list[#list + 1] = id
end
if #again > 0 then call('XACK', KEYS[1], ARGV[1], unpack(again)) end
if #left < #plan.ids then return { 'stale', #again, unpack(left) } end

local time = call('TIME')
local known, fresh, duplicates = {}, {}, 0 -- known: field -> value seen in this batch; fresh: line -> true
if ledger then
  local generation = math.floor(tonumber(time[1]) / ledger.seconds)
  if generation ~= ledger.generation then return { 'generation', generation } end
  local conflicts = { 'conflict' }
  for at = 1, #lines, 2 do
    local i, field, value = (at + 1) / 2, lines[at], lines[at + 1]
    local stands = known[field] or call('HGET', KEYS[6 + at], field) or call('HGET', KEYS[7 + at], field)
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

call('XLEN', KEYS[2])
call('HLEN', KEYS[3])
call('XLEN', KEYS[4])
call('LLEN', KEYS[5])
local counted = ledger and KEYS[ledger.count]
if counted then
  local _, failed = probe('HLEN', counted)
  if failed then return failed end
end
for _, board in ipairs(boards) do
  local _, failed = probe('ZCARD', KEYS[board[1]])
  if failed then return failed end
end
for i = 1, plan.rejects do call('ZCARD', KEYS[tonumber(ARGV[first_reject + 4 * (i - 1) + 1])]) end
for _, ticket in ipairs(plan.tickets) do call('HLEN', KEYS[ticket[2]]) end
local sums = {} -- per shape, beside its amounts: what the fields come to, as text; false where a double cannot say it
for shape, hash in ipairs(hashes) do
  local fields, adds, after = hash[1], hash[2], {}
  for at = 1, #adds, #fields + 1 do
    local key = KEYS[adds[at]]
    local values, failed = probe('HMGET', key, unpack(fields))
    if failed then return failed end
    for i, field in ipairs(fields) do
      local value, by = values[i] or '0', adds[at + i]
      local sum = tonumber(value)
      if sum and text(sum) == value and math.abs(sum + by) <= exact then
        after[at + i] = text(sum + by)
      elseif value:match('^%-?[1-9]%d*$') and math.abs(sum + by) <= 9e18 then -- what HINCRBY takes; 64 bits end at 9.2e18
        after[at + i] = false
      else
        return redis.error_reply('ORDERS ' .. key .. ' ' .. field .. ' is no integer that can grow')
      end
    end
  end
  sums[shape] = after
end

call('XACK', KEYS[1], ARGV[1], unpack(plan.ids))
for from = 1, #plan.ids, 2000 do
  local add = { 'ZADD', KEYS[6] }
  for i = from, math.min(from + 1999, #plan.ids) do
    add[#add + 1] = plan.ids[i]:match('%d+')
    add[#add + 1] = plan.ids[i]
  end
  call(unpack(add))
end

if ledger then
  local expires = format('%.0f', (ledger.generation + 2) * ledger.seconds) -- rounded
  for at = 1, #lines, 2 do
    if fresh[(at + 1) / 2] then
      local bucket = KEYS[6 + at]
      call('HSET', bucket, lines[at], lines[at + 1])
      if call('HLEN', bucket) == 1 then call('EXPIREAT', bucket, expires) end
    end
  end
end

if ledger and #lines / 2 > duplicates then
  local by = #lines / 2 - duplicates
  if call('HINCRBY', counted, text(ledger.generation), text(by)) == by then -- the first of this generation: an old one goes
    call('HDEL', counted, text(ledger.generation - 4)) -- not sooner: a clock that jumped may jump back
  end
end

local now = {} -- key number -> what its fields are after this commit, as members of a JSON object
for shape, hash in ipairs(hashes) do
  local fields, adds, after, set, members, told = hash[1], hash[2], sums[shape], { 'HSET' }, {}, {}
  for i, field in ipairs(fields) do
    set[2 * i + 1] = field
    members[i] = ',' .. cjson.encode(field) .. ':'
  end
  for at = 1, #adds, #fields + 1 do
    local key = KEYS[adds[at]]
    set[2] = key
    for i, field in ipairs(fields) do
      local sum = after[at + i]
      if not sum then
        call('HINCRBY', key, field, text(adds[at + i]))
        sum = call('HGET', key, field)
      end
      set[2 * i + 2] = sum
      told[i] = members[i] .. sum
    end
    call(unpack(set))
    now[adds[at]] = (now[adds[at]] or '') .. table.concat(told)
  end
end

for _, board in ipairs(boards) do
  for from = 2, #board, 2000 do
    local add = { 'ZADD', KEYS[board[1]], 'GT' }
    for i = from, math.min(from + 1999, #board), 2 do
      add[#add + 1] = text(board[i])
      add[#add + 1] = board[i + 1]
    end
    call(unpack(add))
  end
end

local emitted, passed = {}, plan.orders
for i = 1, plan.emits do
  if ledger and not fresh[i] then
    passed = passed - 1
  elseif totals and totals[i] > 0 then
    emitted[#emitted + 1] = ARGV[3 + i] .. now[totals[i]] .. '}'
  else
    emitted[#emitted + 1] = ARGV[3 + i]
  end
end
if #emitted > 0 then
  local entry = { 'n', text(passed), 'r', '[' .. table.concat(emitted, ',') .. ']' }
  local function add(field, value)
    if value then
      entry[#entry + 1] = field
      entry[#entry + 1] = value
    end
  end
  add('c', '1') -- ours: counted by this commit
  add('t', plan.sent)
  add('p', plan.traceparent)
  call('XADD', KEYS[2], '*', unpack(entry))
end

local last_ms, last_sequence
local function invalid_id()
  if not plan.id then return '*' end
  if not last_ms then
    last_ms, last_sequence = 0, -1
    if call('EXISTS', KEYS[4]) == 1 then
      local info = call('XINFO', 'STREAM', KEYS[4])
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then last_ms, last_sequence = info[i + 1]:match('(%d+)-(%d+)') end
      end
      last_ms, last_sequence = tonumber(last_ms), tonumber(last_sequence)
    end
  end
  local ms, step, rest = time[1] * 1000 + math.floor(time[2] / 1000), plan.id.step, plan.id.rest
  if ms > last_ms then last_ms, last_sequence = ms, -1 end
  local after = last_sequence + 1
  last_sequence = after + (rest - after) % step
  return format('%.0f-%.0f', last_ms, last_sequence)
end

local rejected, by_code, rejected_as = 0, {}, {}
for i = 1, plan.rejects do
  if not ledger or fresh[plan.emits + i] then
    local at = first_reject + 4 * (i - 1)
    local code, group, orders, record = ARGV[at], KEYS[tonumber(ARGV[at + 1])], tonumber(ARGV[at + 2]), ARGV[at + 3]
    local id = call('XADD', KEYS[4], invalid_id(), 'code', code, 'record', '{' .. record)
    call('LPUSH', KEYS[5], '{"id":"' .. id .. '",' .. record)
    rejected_as[i] = id
    local ms, sequence = id:match('(%d+)-(%d+)')
    call('ZADD', group, 0, ms .. '-' .. string.rep('0', 10 - #sequence) .. sequence) -- so that text sorts as ids do
    rejected = rejected + orders
    by_code[code] = (by_code[code] or 0) + orders
  end
end

for _, ticket in ipairs(plan.tickets) do
  local line, outcome = ticket[1], KEYS[ticket[2]]
  local reject = line - plan.emits
  local verdict = not fresh[line] and 'duplicate' or reject < 1 and 'admitted' or ARGV[first_reject + 4 * (reject - 1)]
  call('HINCRBY', outcome, verdict, 1)
  call('EXPIRE', outcome, plan.outcome_seconds)
  if rejected_as[reject] then call('HSET', outcome, 'invalid_id', rejected_as[reject]) end
end

local function count(name, by) if by > 0 then call('HINCRBY', KEYS[3], name, text(by)) end end
count(plan.counts.found, plan.found)
count(plan.counts.passed, passed)
count('duplicates', duplicates)
count(plan.counts.rejected, rejected)
for code, by in pairs(by_code) do count('rejected:' .. code, by) end
return { 'committed', passed, duplicates, rejected, time[1] * 1000 + math.floor(time[2] / 1000) }
