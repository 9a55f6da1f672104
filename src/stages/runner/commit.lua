-- Commits one batch of one stage: acknowledges, records, applies, emits, rejects and counts; or refuses the whole batch.
--
-- KEYS[1] stream read   [2] stream emitted to (or [1] again)   [3] counters   [4] invalid stream   [5] invalid list
-- KEYS[6] entries of [1] that the stage has committed
-- KEYS[7..] two per ledger record (this generation's bucket, the last one's), then keys that are referred to by number
-- ARGV[1] group   [2] consumer   [3] plan, a JSON object:
--   ids      entries to acknowledge
--   layout   [key number, field, value]: of the stage, see layout.ts   erased [key number, length]: see erasures.ts
--   ledger   { generation, seconds, lines: [field, value, ...], changes, expects, count: key number }: one ledger record per emitted
--            record, then one per rejected one; the hash `count` counts the ledger records of each generation
--            changes: [[ledger record, key numbers of two buckets, field, expected, value]], in the order of the records:
--            the field must hold `expected` after the records before, and holds `value` if that record is new
--            expects: [[key numbers of two buckets, field, expected]]: the field must hold `expected` before this commit
--   corrections  { counter: by }, if there are any: records that correct an order, and are not among those that passed
--   hashes   [[[field, ...], [key number, by, ..., key number, by, ...]]]: amounts to add to the fields of each key
--   ranks    [[[key number, [field, ...]], ...], n, [member, n key numbers, ...]]: per board its key and the fields that add up
--            to a score; then members, each with the keys of its n hashes
--   expiries [[seconds since 1970, key number, ...]]: when keys expire, if this commit makes them
--   verdicts [[ledger record, key number, verdict]]: ledger records whose verdict goes to the outcome of a job, its key, and
--            the verdict if it passes; an outcome is kept for outcome_seconds
--   totals   per emitted record the number of the key in `hashes` whose fields are appended to it, or 0
--   emits, rejects   how many of each follow in ARGV
--   orders   orders in the records to pass   found   orders of entries that were not counted when written (no field c)
--   sent, traceparent   fields t and p of the entry emitted, if any
--   counts   { passed, rejected, found }: names of counters
--   id       { step, rest }, with partitions: an id in the invalid stream has a sequence ≡ rest (mod step), so that ids of
--            all partitions differ
-- ARGV[4..] emitted records (JSON; without the last brace where totals are appended), then of each rejected one code, key
--   number of its group, orders and record (JSON without the first brace)
--
-- Replies  { 'committed', orders passed, duplicates, orders rejected, microseconds since 1970 by Redis' clock,
--            for each rejected record its invalid id, '' for a duplicate }; or one of these refusals:
--   { 'layout', layout } or { 'erased' }   of the stage, or users were erased since the plan was made; nothing has changed
--   { 'stale', n, id ... }         the entries still pending, which this consumer now holds; the others were committed by
--                                  another consumer; n of them had been delivered again, by a group that was recreated or
--                                  set back, and are now acknowledged
-- After the next two one thing has changed: this consumer now holds all the entries.
--   { 'generation', n }            the ledger's generation by Redis' clock is n
--   { 'differs', i, value, ... }   the ledger holds this value ('' if none) where the plan expects another: i counts from 0 the
--                                  ledger records, the changes, then `expects`
--
-- Redis keeps what a script wrote before it failed. So everything that can fail comes before the first effect: XCLAIM before
-- every other command that writes (after a write that is never refused for memory, Redis refuses no other in the same
-- script), then every read.

-- include ../../stream-id.lua
-- include effects.lua
-- include ledger.lua
-- include ../invalid/record.lua

local plan = cjson.decode(ARGV[3])
local ledger, hashes, ranks, totals = plan.ledger, plan.hashes, plan.ranks, plan.totals
local first_reject = 4 + plan.emits
local call = redis.call

local time -- by Redis' clock
local fresh, duplicates -- ledger record -> true if it is new; number of the others
local sums, scores -- of the hashes and the boards, see effects.lua
local invalid_ids, by_code = {}, {} -- reject -> its id in the invalid stream; code -> orders

local function now_ms() return time[1] * 1000 + math.floor(time[2] / 1000) end
local function reject_argument(reject, at) return ARGV[first_reject + 4 * (reject - 1) + at] end

-- Refuses the plan if a user was erased, or another list of stages took effect: a process of the former may have been suspended.
local function check_layout()
  local layouts, erased, field, own = KEYS[plan.layout[1]], KEYS[plan.erased[1]], plan.layout[2], plan.layout[3]
  local layout = call('HGET', layouts, field)
  if layout and layout ~= own then return { 'layout', layout } end
  if call('HLEN', erased) ~= plan.erased[2] then return { 'erased' } end
end

-- Claims the entries, and acknowledges those that the stage has committed before. Refuses the plan unless all are left.
local function claim_entries()
  local claim = { 'XCLAIM', KEYS[1], ARGV[1], ARGV[2], '0' }
  for _, id in ipairs(plan.ids) do claim[#claim + 1] = id end
  claim[#claim + 1] = 'JUSTID'
  local held = call(unpack(claim))
  -- The stage's own set decides whether an entry is committed, not its group: that can be destroyed or set back.
  local left, again, scores = {}, {}, #held > 0 and redis.pcall('ZMSCORE', KEYS[6], unpack(held)) or {}
  for i, id in ipairs(held) do
    local score = scores[i]
    if scores.err then -- the emulator has no ZMSCORE; ZSCORE also reports a key of another type
      local failed
      score, failed = probe('ZSCORE', KEYS[6], id)
      if failed then return failed end
    end
    local list = score and again or left
    list[#list + 1] = id
  end
  if #again > 0 then call('XACK', KEYS[1], ARGV[1], unpack(again)) end
  if #left < #plan.ids then return { 'stale', #again, unpack(left) } end
end

-- Reads the clock, and finds the records that are new. Refuses the plan for another generation, or if the ledger differs.
local function find_fresh()
  local refused
  time = call('TIME')
  fresh, duplicates, refused = check_ledger(ledger, tonumber(time[1]))
  return refused
end

-- Reads every other key that will be written: one of another type fails here.
local function check_keys()
  call('XLEN', KEYS[2])
  call('HLEN', KEYS[3])
  if plan.rejects > 0 then call('XLEN', KEYS[4]); call('LLEN', KEYS[5]) end
  local length, failed
  local counts = ledger and KEYS[ledger.count]
  if counts then length, failed = probe('HLEN', counts) end
  for i = 1, plan.rejects do call('ZCARD', KEYS[tonumber(reject_argument(i, 1))]) end
  for _, pair in ipairs(plan.verdicts) do call('HLEN', KEYS[pair[2]]) end
  return failed
end

-- Adds up, without writing. Refuses a field that cannot grow.
local function add_up()
  local refused
  sums, refused = check_sums(hashes)
  refused = refused or check_boards(ranks)
  if refused then return refused end
  if #hashes > 0 then return check_ranked(ranks) end -- the scores are read after the sums are written
  scores, refused = read_scores(ranks)
  return refused
end

-- Acknowledges the entries, and adds them to those that the stage has committed.
local function acknowledge()
  call('XACK', KEYS[1], ARGV[1], unpack(plan.ids))
  for from = 1, #plan.ids, max_added do
    local add = { 'ZADD', KEYS[6] }
    for i = from, math.min(from + max_added - 1, #plan.ids) do
      add[#add + 1] = plan.ids[i]:match('%d+')
      add[#add + 1] = plan.ids[i]
    end
    call(unpack(add))
  end
end

-- Emits the records that the ledger did not know, as one entry. Returns the orders that passed.
local function emit(now)
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
  if #emitted == 0 then return passed end
  local entry = { 'n', text(passed), 'r', '[' .. table.concat(emitted, ',') .. ']', 'c', '1' } -- c: counted by this commit
  for _, field in ipairs({ { 't', plan.sent }, { 'p', plan.traceparent } }) do
    if field[2] then
      entry[#entry + 1] = field[1]
      entry[#entry + 1] = field[2]
    end
  end
  call('XADD', KEYS[2], '*', unpack(entry))
  return passed
end

-- Writes the rejected records into the invalid channel. Returns their orders.
local function reject()
  if plan.rejects == 0 then return 0 end
  local rejected, next_id = 0, invalid_id_maker(KEYS[4], plan.id, now_ms())
  for i = 1, plan.rejects do
    if not ledger or fresh[plan.emits + i] then
      local code, orders = reject_argument(i, 0), tonumber(reject_argument(i, 2))
      local group, record = KEYS[tonumber(reject_argument(i, 1))], reject_argument(i, 3)
      local id = call('XADD', KEYS[4], next_id(), 'code', code, 'record', '{' .. record)
      file_invalid(KEYS[5], group, id, record)
      invalid_ids[i] = id
      rejected = rejected + orders
      by_code[code] = (by_code[code] or 0) + orders
    end
  end
  return rejected
end

-- Writes the verdicts on the orders of jobs into the outcomes of these.
local function report_to_jobs()
  for _, pair in ipairs(plan.verdicts) do
    local record, outcome = pair[1], KEYS[pair[2]]
    local rejected = record - plan.emits
    local verdict = not fresh[record] and 'duplicate' or rejected < 1 and pair[3] or reject_argument(rejected, 0)
    call('HINCRBY', outcome, verdict, 1)
    call('EXPIRE', outcome, plan.outcome_seconds)
    if invalid_ids[rejected] then call('HSET', outcome, 'invalid_id', invalid_ids[rejected]) end
  end
end

-- Counts the orders, once per batch.
local function count(passed, rejected)
  local function add(name, by) if by > 0 then call('HINCRBY', KEYS[3], name, text(by)) end end
  add(plan.counts.found, plan.found)
  local corrections = plan.corrections or {}
  add(plan.counts.passed, passed - (corrections.corrected or 0))
  for name, by in pairs(corrections) do add(name, by) end
  add('duplicates', duplicates)
  add(plan.counts.rejected, rejected)
  for code, by in pairs(by_code) do add('rejected:' .. code, by) end
end

local refusal = check_layout() or claim_entries() or find_fresh() or check_keys() or add_up()
if refusal then return refusal end

acknowledge()
record_in_ledger(ledger, fresh, duplicates)
local now = write_sums(hashes, sums, #ranks > 0)
set_scores(ranks, #hashes > 0 and read_scores(ranks) or scores) -- by what this commit has written
set_expiries(plan.expiries)
local passed = emit(now)
local rejected = reject()
report_to_jobs()
count(passed, rejected)
local reply = { 'committed', passed, duplicates, rejected, time[1] * 1000000 + time[2] }
for i = 1, plan.rejects do reply[#reply + 1] = invalid_ids[i] or '' end
return reply
