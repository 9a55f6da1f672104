-- Included by commit.lua: the ledger of admitted orders and rejected messages, whose records ledger.ts makes. Record i (from 1)
-- has its field and value at 2i - 1 and 2i of `lines`, and its buckets, of this generation and of the last one, at 2i + 5
-- and 2i + 6 of KEYS.

-- Finds the records that are new. Returns { record = true }, and the number of the others; then the reply that refuses them,
-- if Redis' clock is in another generation or a record is known with another value.
local function check_ledger(ledger, seconds)
  local fresh, duplicates = {}, 0
  if not ledger then return fresh, duplicates end
  local generation = math.floor(seconds / ledger.seconds)
  if generation ~= ledger.generation then return fresh, duplicates, { 'generation', generation } end
  local lines, conflicts, seen = ledger.lines, { 'conflict' }, {} -- seen: field -> its value in this batch
  for at = 1, #lines, 2 do
    local i, field, value = (at + 1) / 2, lines[at], lines[at + 1]
    local recorded = seen[field] or redis.call('HGET', KEYS[6 + at], field) or redis.call('HGET', KEYS[7 + at], field)
    if not recorded then
      seen[field] = value
      fresh[i] = true
    elseif recorded == value then
      duplicates = duplicates + 1
    else
      conflicts[#conflicts + 1] = i - 1
      conflicts[#conflicts + 1] = recorded
    end
  end
  return fresh, duplicates, #conflicts > 1 and conflicts or nil
end

-- Writes the new records, and counts them in their generation.
local function record_in_ledger(ledger, fresh, duplicates)
  if not ledger then return end
  local lines, generation = ledger.lines, string.format('%.0f', ledger.generation)
  local expires = string.format('%.0f', (ledger.generation + 2) * ledger.seconds) -- rounded
  for at = 1, #lines, 2 do
    if fresh[(at + 1) / 2] then
      local bucket = KEYS[6 + at]
      redis.call('HSET', bucket, lines[at], lines[at + 1])
      if redis.call('HLEN', bucket) == 1 then redis.call('EXPIREAT', bucket, expires) end
    end
  end
  local counts, by = KEYS[ledger.count], #lines / 2 - duplicates
  if by > 0 and redis.call('HINCRBY', counts, generation, by) == by then -- the first of this generation: remove an old one
    local old = string.format('%.0f', ledger.generation - 4) -- not a newer one: a clock that jumped may jump back
    redis.call('HDEL', counts, old)
  end
end
