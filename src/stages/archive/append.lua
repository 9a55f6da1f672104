-- Appends a line to the manifest of a partition. A line of a segment acknowledges and counts its entries in the same step.
-- KEYS[1] stream read   [2] counters   [3] entries that the stage has committed   [4] hash: stage -> its layout
-- KEYS[5] the archive (hash)   [6] its last lines (list)
-- ARGV[1] group   [2] consumer   [3] plan, a JSON object:
--   layout   [field, value] of the stage, see layout.ts
--   head     { chain, seq, head } that the hash must hold; chain is '' if it must hold none
--   begins   true for the first line of a chain: the hash and the lines of the chain before are deleted. The store must have
--            them all
--   set      fields of the hash after this line
--   ids      entries to acknowledge; none for a line that is not of a segment
--   until    ms since 1970, by Redis' clock: later nothing is appended, as the object may have been swept by then; 0: no limit
--   counts   { counter: by }
--   sums     { field of the hash: by }
-- ARGV[4] text of the line
--
-- Replies { 'appended' }; or one of these refusals. Only `stale` changes something: this consumer now holds the entries.
--   { 'layout', layout }         the stage has another layout
--   { 'head', chain, seq, head } the chain goes on from there; '' if there is none
--   { 'late' }
--   { 'stale', n, id ... }       the entries still pending; n others had been delivered again, and are now acknowledged
--
-- Redis keeps what a script wrote before it failed: what can fail comes first, XCLAIM before every other command that writes.

-- include ../../sums.lua

local plan = cjson.decode(ARGV[3])
local call = redis.call
local max_ids = 500 -- of one command: Lua passes some thousand values at most

local function each_part(ids, act)
  for from = 1, #ids, max_ids do act({ unpack(ids, from, math.min(from + max_ids - 1, #ids)) }) end
end

local layout = call('HGET', KEYS[4], plan.layout[1])
if layout and layout ~= plan.layout[2] then return { 'layout', layout } end

local known = call('HMGET', KEYS[5], 'chain', 'seq', 'head', 'stored')
local chain, seq, head = known[1] or '', known[2] or '0', known[3] or ''
local lacks = plan.begins and tonumber(known[4] or '0') < tonumber(seq)
if lacks or chain ~= plan.head.chain or seq ~= plan.head.seq or head ~= plan.head.head then
  return { 'head', chain, seq, head }
end

local time = call('TIME')
if plan['until'] > 0 and time[1] * 1000 > plan['until'] then return { 'late' } end

call('HLEN', KEYS[2])
call('ZCARD', KEYS[3])
call('LLEN', KEYS[6])
local function odd_number(key, changes)
  for name in pairs(changes) do
    local value = call('HGET', key, name)
    if value and not is_integer(value) then return redis.error_reply('ORDERS ' .. name .. ' is not a whole number') end
  end
end
local odd = odd_number(KEYS[2], plan.counts) or odd_number(KEYS[5], plan.sums)
if odd then return odd end

local left, again = {}, {}
each_part(plan.ids, function(part)
  local claim = { 'XCLAIM', KEYS[1], ARGV[1], ARGV[2], '0', unpack(part) }
  claim[#claim + 1] = 'JUSTID'
  -- The stage's own set decides whether an entry is committed, not its group: that can be destroyed or set back.
  for _, id in ipairs(call(unpack(claim))) do
    local list = call('ZSCORE', KEYS[3], id) and again or left
    list[#list + 1] = id
  end
end)
if #left < #plan.ids then
  each_part(again, function(part) call('XACK', KEYS[1], ARGV[1], unpack(part)) end)
  return { 'stale', #again, unpack(left) }
end

each_part(plan.ids, function(part)
  call('XACK', KEYS[1], ARGV[1], unpack(part))
  local add = { 'ZADD', KEYS[3] }
  for _, id in ipairs(part) do
    add[#add + 1] = id:match('%d+')
    add[#add + 1] = id
  end
  call(unpack(add))
end)
call('HDEL', KEYS[5], 'failure') -- also first for a full Redis, which then accepts what follows
if plan.begins then call('DEL', KEYS[5], KEYS[6]) end
call('RPUSH', KEYS[6], ARGV[4])
for field, value in pairs(plan.set) do call('HSET', KEYS[5], field, value) end
for field, by in pairs(plan.sums) do call('HINCRBY', KEYS[5], field, string.format('%.0f', by)) end
for name, by in pairs(plan.counts) do
  if by > 0 then call('HINCRBY', KEYS[2], name, string.format('%.0f', by)) end
end
return { 'appended' }
